"""The benchmark: its workloads are fixed, its figures complete, its judgement strict."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from orchestration.bench.workloads import judge, together, workload
from orchestration.domain.errors import Invalid

KEYS = {
    "workload", "n", "tasks", "tasks_per_s", "step_ms_median", "step_ms_p95", "cpu_s", "peak_mb", "synchronous",
    "floor_tasks_per_s", "order_violations", "stored_ok",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "n", "tasks", "edges", "layers"),
    [
        ("W1", 1000, 1001, 1000, 2),
        ("W2", 500, 500, 499, 500),
        ("W3", 1000, 1000, 2850, 20),
        ("W3", 100, 100, 285, 20),
        ("W3", 10_000, 10_000, 28_500, 20),
        ("W4", 1000, 1001, 1000, 2),
    ],
)
def test_size(name, n, tasks, edges, layers):
    work = workload(name, n)
    assert (work.tasks, work.edges, 1 + max(work.layer_of)) == (tasks, edges, layers)


def test_layers_are_always_the_same():
    work = workload("W3", 1000)
    assert work.waits_for[49] == []
    assert work.waits_for[50] == [1, 7, 40]
    assert work.waits_for[999] == [907, 912, 917]


def test_array_is_one_tree():
    first, second, *_ = workload("W2", 3).array("noop")
    assert first == {"id": "t0", "name": "t0", "executor": "noop", "inputs": {"i": 0}, "dependencies": []}
    assert second["dependencies"] == [{"id": "t0"}]
    assert second["parent_id"] == "t0"


@pytest.mark.parametrize(("name", "n"), [("W5", 10), ("W1", 0)])
def test_unknown_or_empty(name, n):
    with pytest.raises(Invalid):
        workload(name, n)


def results(*starts):
    return {number: {"i": number, "s": start, "e": start + 1.0} for number, start in enumerate(starts)}


def test_judgement():
    work = workload("W2", 3)
    good = judge(work, results(0.0, 1.5, 3.0))
    assert (good.stored_ok, good.order_violations, good.step_ms_median) == (True, 0, 500.0)
    assert judge(work, results(0.0, 0.5, 3.0)).order_violations == 1
    assert not judge(work, results(0.0, 1.5)).stored_ok
    assert not judge(work, results(0.0, 1.5, 3.0) | {2: {"i": 1, "s": 3.0, "e": 4.0}}).stored_ok
    assert not judge(work, results(0.0, 1.5, 3.0) | {2: None}).stored_ok


@pytest.mark.parametrize("arguments", [("--n", "0"), ("--n", "10020"), ("--runs", "0")])
def test_refused_sizes(arguments):
    with pytest.raises(CommandError) as caught:
        call_command("bench", "W3", *arguments)
    assert caught.value.returncode == 2


def test_never_inside_a_directory_in_use(tmp_path):
    with pytest.raises(CommandError, match="new folder"):
        call_command("bench", "W3", inside=str(tmp_path))


@pytest.mark.slow
def test_bench(capsys):
    call_command("bench", "W3", "--n", "100", "--runs", "1", "--json")
    figures = json.loads(capsys.readouterr().out)
    assert set(figures) == KEYS
    assert (figures["workload"], figures["n"], figures["tasks"]) == ("W3", 100, 100)
    assert (figures["order_violations"], figures["stored_ok"]) == (0, True)
    assert figures["synchronous"] == "FULL"
    for key in ("tasks_per_s", "floor_tasks_per_s", "step_ms_median", "cpu_s", "peak_mb"):
        assert figures[key] > 0


@pytest.mark.slow
def test_bench_against_django(capsys):
    call_command("bench", "W2", "--n", "20", "--runs", "2", "--synchronous", "NORMAL", "--compare-django")
    out = capsys.readouterr().out
    assert "W2 20, median of 2" in out
    assert "django_floor_step_ms_median" in out


@pytest.mark.slow
def test_several_trees_at_once(capsys):
    call_command("bench", "W2", "--n", "20", "--trees", "3", "--runs", "1", "--json")
    figures = json.loads(capsys.readouterr().out)
    assert (figures["n"], figures["tasks"], figures["stored_ok"]) == (20, 60, True)


@pytest.mark.slow
def test_cost_of_a_task_by_size(capsys):
    call_command("bench", "flat", "--n", "1000", "--json")
    rows = json.loads(capsys.readouterr().out)
    assert [(row["tasks"], row["trees"]) for row in rows] == [(100, 1), (1000, 1)]
    assert all(row["cpu_ms_per_task"] > 0 and row["peak_mb"] > 0 for row in rows)
    assert rows[0]["kb_per_task"] is None


@pytest.mark.slow
def test_a_server_at_rest(capsys):
    call_command("bench", "idle", "--seconds", "1", "--json")
    figures = json.loads(capsys.readouterr().out)
    assert figures["seconds"] >= 1
    assert 0 <= figures["percent_of_a_core"] < 100
    assert figures["memory_mb"] > 30


def test_judgement_on_several_trees():
    work = workload("W2", 3)
    good, late = judge(work, results(0.0, 1.5, 3.0)), judge(work, results(0.0, 1.5, 2.6))
    assert together([good, good, late]) == good
    early = judge(work, results(0.0, 0.5, 3.0))
    assert together([good, early]).order_violations == 1
    assert not together([good, judge(work, results(0.0))]).stored_ok
