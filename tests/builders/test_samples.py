from __future__ import annotations

import sqlite3

import pytest

import examples.etl.executors  # noqa: F401  (registers them, should the application not be installed)
from examples import thousand_tasks
from orchestration.builders.array import spec_from_text
from orchestration.builders.samples import sample_files, samples_load
from orchestration.domain.graph import find_cycle, layers
from orchestration.executors.base import ExecutionContext, ExecutorError
from orchestration.executors.registry import find, get
from orchestration.models import Task, Tree
from tests.factories import make_user


@pytest.fixture
def specs():
    return {path.name: spec_from_text(path.read_bytes()) for path in sample_files()}


def run(executor, **inputs):
    return get(executor).run(ExecutionContext(inputs=inputs, params={}))


def test_there_are_ten_and_none_has_a_warning_or_a_draft(specs):
    assert len(specs) == 10
    assert all(not spec.warnings for spec in specs.values())
    for spec in specs.values():
        assert all(t.executor or not (t.inputs or t.params) for t in spec.tasks)
        assert {t.executor for t in spec.tasks if t.executor} <= {t.executor for t in spec.tasks if find(t.executor)}
        assert (
            find_cycle([t.id for t in spec.tasks], {t.id: [d.id for d in t.dependencies] for t in spec.tasks}) is None
        )


def test_the_thousand_tasks_are_what_the_script_writes(specs):
    assert thousand_tasks.FILE.read_text() == thousand_tasks.text()
    tasks = specs["10_thousand_tasks.json"].tasks
    work = [t for t in tasks if t.executor]
    assert (len(work), sum(len(t.dependencies) for t in tasks)) == (1_000, 2_850)
    waves = layers([t.id for t in work], {t.id: [d.id for d in t.dependencies] for t in work})
    assert [len(wave) for wave in waves] == [50] * 20
    assert all(0.02 <= t.inputs["duration_s"] <= 0.2 for t in work)


@pytest.mark.django_db
def test_samples_are_loaded_once_per_owner():
    ann, bob = make_user("ann"), make_user("bob")
    loaded = samples_load(owner=ann)
    assert len(loaded) == 10
    assert all(tree.labels == ["sample"] for tree in loaded)
    assert samples_load(owner=ann) == []
    assert len(samples_load(owner=bob)) == 10
    Tree.objects.filter(owner=ann, name=loaded[0].name).update(labels=[])
    assert [tree.name for tree in samples_load(owner=ann)] == [loaded[0].name]


@pytest.mark.django_db
def test_the_sample_that_calls_this_server_calls_it_where_it_listens():
    samples_load(owner=make_user("ann"), server="127.0.0.1:8765")
    tasks = Task.objects.filter(tree__name="Check our own endpoints", executor="http")
    urls = {task.inputs["url"] for task in tasks}
    assert len(urls) == 3
    assert all(url.startswith("http://127.0.0.1:8765/") for url in urls)


def test_orders_are_loaded_once_however_often_it_runs(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    extracted = run("etl_extract")
    checked = run("etl_validate", rows=extracted["rows"])
    assert (extracted["count"], len(checked["rejected"])) == (200, 10)
    parts = {
        region: run("etl_transform", rows=checked["valid"], region=region) for region in ("north", "south", "west")
    }
    first = run("etl_load", **parts)
    again = run("etl_load", **parts)
    assert first == again
    with sqlite3.connect(tmp_path / "examples.sqlite3") as database:
        count, cents = database.execute("SELECT COUNT(*), SUM(total_cents) FROM orders").fetchone()
    database.close()
    assert (count, cents) == (190, sum(part["revenue_cents"] for part in parts.values()))
    summary = run("etl_summary", extracted=200, rejected=checked["rejected"], load=first)
    assert summary["text"].startswith("190 of 200 orders loaded, 10 rejected\nnorth: ")


def test_a_summary_with_lost_rows_fails():
    with pytest.raises(ExecutorError, match="3 rows"):
        run("etl_summary", extracted=10, rejected=[], load={"loaded": 7, "regions": {}})


@pytest.mark.parametrize("file", ["../../manage.py", "/etc/passwd", "nothing.csv", "../etl/executors.py"])
def test_extract_reads_nothing_but_its_own_folder(file):
    with pytest.raises(ExecutorError, match="there is no file"):
        run("etl_extract", file=file)


def test_the_report_names_what_is_nearly_used_up():
    readings = {"1": {"resource": "cpu", "cpu": {"percent": 12}}, "2": {"resource": "disk", "disk": {"percent": 95}}}
    report = run("health_report", readings=readings)
    assert (report["healthy"], report["text"]) == (False, "look at: disk")
