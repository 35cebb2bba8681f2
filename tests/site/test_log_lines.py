"""Every line of the log is one JSON object, whatever people call their things and whatever their code does."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest
from django.test import Client

from apflow_site.logs import JsonFormatter, PlainFormatter
from orchestration.executors.base import Executor
from orchestration.services.runs import run_start
from tests.engine.support import EngineThread, ended, registered, until
from tests.factories import make_tree, make_user, task
from tests.support_faults import unstorable_attempts

pytestmark = pytest.mark.django_db(transaction=True)
FORGED = '{"time": "now", "level": "CRITICAL", "message": "forged"}'
HOSTILE = f"x\n{FORGED}\r\u2028{FORGED}\x1b[2J"

SHOUTED = {FORGED: HOSTILE, "poison": "poison"}


class Shouts(Executor):
    """Fails with what its task says, and logs it."""

    id = "e_shouts"
    name = "Shouts"
    isolated = False

    async def run(self, ctx):
        logging.getLogger("apflow.test").warning("said: %s", ctx.inputs["text"])
        raise RuntimeError(ctx.inputs["text"])


@pytest.fixture
def lines():
    """The lines that the loggers have written, read when called."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    loggers = [logging.getLogger(name) for name in ("apflow", "django")]
    for logger in loggers:
        logger.addHandler(handler)
    yield lambda: stream.getvalue().splitlines()
    for logger in loggers:
        logger.removeHandler(handler)


def hostile_requests():
    client = Client(raise_request_exception=False)
    client.post("/login/", {"username": HOSTILE, "password": "x"})
    client.force_login(make_user("ann"))
    for path in (
        f"/trees/1?q={HOSTILE}",
        "/trees/%0a%7B%22level%22:1%7D",
        "/api/v1/runs/1%0d%0a/",
        f"/filters/{FORGED}/save",
    ):
        client.get(path, headers={"X-Request-ID": "id-of-request-1", "Referer": FORGED})
        client.post(path, {"name": HOSTILE})
    client.post("/api/v1/trees/", b'{"' + FORGED.encode(), content_type="application/json")
    client.post("/apflow/tasks", json.dumps({"method": HOSTILE, "id": HOSTILE}), content_type="application/json")


def hostile_run(tmp_path):
    """A run whose tasks shout; the end of one cannot be stored, which the engine logs."""
    shouts = [task(name, executor="e_shouts", inputs={"text": text}) for name, text in SHOUTED.items()]
    with unstorable_attempts("NEW.error LIKE '%poison%'", HOSTILE), registered(Shouts), EngineThread(tmp_path):
        tree = make_tree(task(FORGED[:50], executor=""), *shouts)
        run = run_start(user=tree.owner, tree_id=tree.pk)
        assert ended(run).status == "failed"
    return run, tree


def test_each_line_is_one_object_with_its_ids(lines, tmp_path):
    hostile_requests()
    run, tree = hostile_run(tmp_path)
    until(lambda: any("cannot be stored" in line for line in lines()), "a line of the engine")
    found = [json.loads(line) for line in lines()]
    assert len(found) > 8
    assert all({"time", "level", "logger", "message"} <= set(line) <= KNOWN for line in found)
    assert not [line for line in found if line["level"] == "CRITICAL"]
    assert all(line.startswith('{"time": "2') for line in lines())
    stored = [line for line in found if "a batch of 1 reports" in line["message"]]
    assert [(line["run"], line["attempt"]) for line in stored] == [(run.pk, 1)]
    assert stored[0]["task"] == tree.tasks.get(name="poison").pk.hex
    assert "id-of-request-1" in {line.get("request") for line in found}
    assert FORGED not in {line["message"] for line in found}


KNOWN = {"time", "level", "logger", "message", "request", "run", "task", "attempt", "worker", "exception"}


def test_plain_tracebacks_cannot_be_taken_for_records():
    record = logging.LogRecord("apflow.x", logging.ERROR, "", 1, "broken: %s", (HOSTILE,), None)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        record.exc_info = sys.exc_info()
    first, *rest = PlainFormatter("%(levelname)s %(message)s").format(record).splitlines()
    assert first.startswith("ERROR broken: x\\n{")
    assert rest
    assert all(line.startswith("  ") for line in rest)
    assert "\x1b" not in "".join(rest)
