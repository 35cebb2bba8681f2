from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from apflow_site.logs import JsonFormatter, PlainFormatter
from apflow_site.metrics import text_of
from orchestration.models import Task
from orchestration.selectors.metrics import Metrics
from orchestration.selectors.overview import Places, Slots
from orchestration.services.runs import run_start
from tests.factories import make_tree, make_user, task


def record(message, **extra):
    made = logging.getLogger("apflow.x").makeRecord("apflow.x", 20, "f", 1, message, (), None, extra=extra)
    return made


@pytest.mark.django_db
def test_metrics_are_hidden_from_strangers(settings):
    settings.METRICS_TOKEN = ""
    make_user("ann")
    client = Client()
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
    client.login(username="ann", password="secret")
    assert client.get("/metrics").status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("way", ["open", "token", "staff"])
def test_metrics_are_shown(settings, way):
    settings.METRICS_OPEN, settings.METRICS_TOKEN = way == "open", "s3cret"
    client = Client(headers={"Authorization": "Bearer s3cret"} if way == "token" else {})
    if way == "staff":
        make_user("sue", is_staff=True)
        client.login(username="sue", password="secret")
    tree = make_tree(task("root", executor=""), task("a"), task("b"))
    run_start(user=tree.owner, tree_id=tree.pk)
    Task.objects.filter(tree=tree, executor="noop").update(ready_at=timezone.now())  # as an engine does
    answer = client.get("/metrics")
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.content.decode().splitlines()
    assert 'apflow_queue_depth{executor="noop"} 2' in lines
    assert "apflow_active_runs 1" in lines
    assert 'apflow_runs_24h{outcome="failed"} 0' in lines
    assert "apflow_step_latency_seconds_count 0" in lines
    size = next(line for line in lines if line.startswith("apflow_database_bytes "))
    assert int(size.split()[1]) > 4096


def test_a_wrong_token_is_no_token(settings, db):
    settings.METRICS_TOKEN = "s3cret"
    for given in ("Bearer other", "Basic s3cret", "s3cret", "Bearer s3cre\u00e9"):
        assert Client().get("/metrics", headers={"Authorization": given}).status_code == 404


def test_labels_cannot_forge_lines():
    hostile = 'x"} 1\napflow_active_runs 99\\'
    figures = Metrics(
        {hostile: 1}, 0, Slots(Places(0, 2), Places(0, 3), 1), 0, {}, {}, (0.1, 0.2, 0.4), 1.5, 5_000_000, 12
    )
    text = text_of(figures)
    assert 'executor="x\\"} 1\\napflow_active_runs 99\\\\"' in text
    assert [line for line in text.splitlines() if line.startswith("apflow_active_runs ")] == ["apflow_active_runs 0"]
    assert 'apflow_step_latency_seconds{quantile="0.5"} 0.2' in text
    assert "apflow_database_bytes 5000000" in text


def test_a_json_line_is_one_line():
    text = JsonFormatter().format(record('a\n{"level": "ERROR"}\u2028', run=7, task="f" * 32, attempt=2))
    assert len(text.splitlines()) == 1
    line = json.loads(text)
    assert (line["level"], line["logger"], line["run"], line["attempt"]) == ("INFO", "apflow.x", 7, 2)
    assert line["message"] == 'a\n{"level": "ERROR"}\u2028'


def test_a_json_line_has_the_traceback():
    made = record("broken")
    try:
        raise ValueError("why\nnot")
    except ValueError:
        made.exc_info = sys.exc_info()
    text = JsonFormatter().format(made)
    assert len(text.splitlines()) == 1
    assert "ValueError" in json.loads(text)["exception"]


def test_a_plain_line_cannot_be_forged():
    text = PlainFormatter("%(levelname)s %(message)s").format(record("a\nERROR b\r\x1b[2J"))
    assert text == "INFO a\\nERROR b\\r\\x1b[2J"


@pytest.mark.parametrize(("given", "kept"), [("abc-12345", True), ("x", False), ("a b c d e f", False)])
def test_each_answer_has_a_request_id(client, given, kept):
    answer = client.get("/healthz", headers={"X-Request-ID": given})
    assert (answer["X-Request-ID"] == given) == kept
    assert len(answer["X-Request-ID"]) >= 8


def test_the_guide_names_every_metric():
    figures = Metrics({}, 0, Slots(Places(0, 0), Places(0, 0), 0), 0, {}, {}, (), 1.0, 0, 0)
    names = [line.split()[2] for line in text_of(figures).splitlines() if line.startswith("# TYPE")]
    guide = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
    assert [name for name in names if f"`{name}`" not in guide] == []
