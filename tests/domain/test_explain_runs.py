from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.domain.explain.compare import RunTask, compare_runs, fingerprint
from orchestration.domain.explain.critical import Timing, critical_path_of_run
from orchestration.domain.explain.dryrun import SlotLimits, dry_run, expected_seconds
from orchestration.domain.explain.facts import EdgeFact, TaskFact
from orchestration.domain.states import Status

ONE = SlotLimits(1, 1)
MANY = SlotLimits(100, 100)


def task(name, position=0, **fields):
    return TaskFact(**{"id": name, "name": name, "executor": "noop", "position": position, **fields})


def by_id(*tasks):
    return {t.id: t for t in tasks}


def needs(waiting, *others, required=True):
    return [EdgeFact(waiting, other, required) for other in others]


DIAMOND = needs("b", "a") + needs("c", "a") + needs("d", "b", "c")
TASKS = by_id(*(task(name, place) for place, name in enumerate("abcd")))
SECONDS = {"a": 1.0, "b": 5.0, "c": 2.0, "d": 1.0}


def test_a_forecast_with_enough_slots_takes_as_long_as_the_critical_path():
    run = dry_run(TASKS, DIAMOND, TASKS, SECONDS, MANY)
    assert run.waves == [["a"], ["b", "c"], ["d"]]
    assert (run.critical_path, run.critical_s, run.total_s, run.peak, run.unknown) == (["a", "b", "d"], 7.0, 7.0, 2, 0)


def test_a_single_slot_takes_the_sum_and_goes_by_priority():
    tasks = {**TASKS, "c": task("c", 2, priority=0)}
    run = dry_run(tasks, DIAMOND, tasks, SECONDS, ONE)
    assert (run.order, run.total_s, run.peak) == (["a", "c", "b", "d"], 9.0, 1)


def test_kinds_of_slot_do_not_take_each_others_place():
    tasks = {**TASKS, "c": task("c", 2, isolated=False)}
    assert dry_run(tasks, DIAMOND, tasks, SECONDS, ONE).total_s == 7.0


def test_limits_hold_back_only_what_they_name():
    tasks = by_id(*(task(f"h{n}", n, executor="http") for n in range(4)), task("n", 9))
    seconds = dict.fromkeys(tasks, 1.0)
    run = dry_run(tasks, [], tasks, seconds, SlotLimits(9, 9, {"http": 2}))
    assert (run.total_s, run.peak, run.times["n"]) == (2.0, 3, (0.0, 1.0))
    assert dry_run(tasks, [], tasks, seconds, SlotLimits(9, 9, together=2)).total_s == 3.0


def test_unknown_durations_are_counted_with_the_median_of_the_known():
    run = dry_run(TASKS, DIAMOND, TASKS, {"a": 4.0, "b": 2.0, "d": 9.0}, MANY)
    assert (run.unknown, run.assumed_s, run.times["c"]) == (1, 4.0, (4.0, 8.0))
    run = dry_run(TASKS, DIAMOND, TASKS, {}, MANY)
    assert (run.unknown, run.assumed_s, run.total_s) == (4, 1.0, 3.0)


def test_groups_take_no_time_and_no_slot():
    tasks = by_id(task("g", executor=""), task("a", 1), task("h", 2, executor=""))
    run = dry_run(tasks, needs("a", "g") + needs("h", "a"), tasks, {"a": 3.0}, ONE)
    assert run.times == {"g": (0.0, 0.0), "a": (0.0, 3.0), "h": (3.0, 3.0)}
    assert (run.unknown, run.peak) == (0, 1)


def test_a_scope_reuses_what_completed_and_reports_what_it_cannot_reach():
    tasks = {**TASKS, "a": task("a", status=Status.COMPLETED), "x": task("x", status=Status.FAILED)}
    run = dry_run(tasks, DIAMOND + needs("c", "x"), ["b", "c", "d"], SECONDS, ONE)
    assert (run.order, run.blocked) == (["b"], ["c", "d"])
    run = dry_run(tasks, DIAMOND + needs("c", "x", required=False), ["b", "c", "d"], SECONDS, MANY)
    assert (run.total_s, run.blocked) == (6.0, [])


def test_an_empty_scope_is_no_error():
    run = dry_run({}, [], [], {}, SlotLimits(0, 0))
    assert (run.waves, run.total_s, run.critical_path, run.peak) == ([], 0.0, [], 0)


def test_a_chain_of_ten_thousand_tasks():
    tasks = by_id(*(task(str(n), n, executor="" if n % 2 else "noop") for n in range(10_000)))
    run = dry_run(tasks, [EdgeFact(str(n + 1), str(n)) for n in range(9_999)], tasks, {}, ONE)
    assert (len(run.order), len(run.critical_path), run.total_s) == (10_000, 9_999, 5_000.0)


def test_expected_seconds_is_the_median_of_the_newest_twenty():
    rows = [("a", 1.0)] * 20 + [("a", 99.0)] * 30 + [("b", -1.0), ("b", 4.0)]
    assert expected_seconds(rows) == {"a": 1.0, "b": 2.0}


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 14))
    tasks, edges, seconds = {}, [], {}
    for n in range(count):
        executor = draw(st.sampled_from(["noop", "noop", ""]))
        tasks[str(n)] = task(
            str(n), n, executor=executor, priority=draw(st.integers(0, 3)), isolated=draw(st.booleans())
        )
        for other in draw(st.sets(st.integers(0, n - 1), max_size=3)) if n else ():
            edges.append(EdgeFact(str(n), str(other), draw(st.booleans())))
        if draw(st.booleans()):
            seconds[str(n)] = float(draw(st.integers(0, 5)))
    return tasks, edges, seconds


@settings(deadline=None)
@given(graphs(), st.integers(1, 3), st.integers(1, 3))
def test_a_forecast_respects_dependencies_and_slots(graph, process, asynchronous):
    tasks, edges, seconds = graph
    run = dry_run(tasks, edges, tasks, seconds, SlotLimits(process, asynchronous))
    assert set(run.times) == set(tasks)
    assert sorted(t for wave in run.waves for t in wave) == sorted(tasks)
    assert all(run.times[e.depends_on][1] <= run.times[e.task][0] for e in edges)
    assert run.critical_s <= run.total_s + 1e-9
    for moment, _ in run.times.values():
        busy = [t for t, (a, b) in run.times.items() if a <= moment < b and tasks[t].works]
        assert sum(tasks[t].isolated for t in busy) <= process
        assert sum(not tasks[t].isolated for t in busy) <= asynchronous
        assert len(busy) <= run.peak


def timings(**spans):
    return {name: Timing(name, name, *span) for name, span in spans.items()}


def test_the_critical_path_of_a_run_with_queueing_and_slack():
    path = critical_path_of_run(timings(a=(1, 2), b=(2, 8), c=(3, 4), d=(10, 12)), DIAMOND)
    assert [(s.task, s.queue_s, s.run_s) for s in path.steps] == [("a", 1, 1), ("b", 0, 6), ("d", 2, 2)]
    assert (path.total_s, path.queue_s) == (12, 3)
    assert path.slack == {"a": 0, "b": 0, "c": 4, "d": 0}


def test_a_run_in_which_nothing_started_has_no_path():
    assert critical_path_of_run({}, DIAMOND).steps == []


@settings(deadline=None)
@given(graphs())
def test_the_path_explains_the_whole_duration_and_has_no_slack(graph):
    tasks, edges, seconds = graph
    times = dry_run(tasks, edges, tasks, seconds, ONE).times
    path = critical_path_of_run({t: Timing(t, t, *span) for t, span in times.items()}, edges)
    assert sum(s.queue_s + s.run_s for s in path.steps) == pytest.approx(path.total_s)
    assert all(path.slack[s.task] == pytest.approx(0) for s in path.steps)
    assert all(value >= 0 for value in path.slack.values())


def ran(name, start=0.0, seconds=1.0, **fields):
    base = {"key": name, "id": name, "name": name, "status": "completed", "inputs": {"n": "1"}, "result": "1"}
    return RunTask(**{**base, "started_s": start, "duration_s": seconds, **fields})


def test_a_comparison_finds_every_kind_of_difference_and_the_first():
    a = [ran("a"), ran("b", 1), ran("c", 2), ran("d", 3), ran("e", 4), ran("gone", 9)]
    b = [
        ran("a", seconds=1.19),
        ran("e", 4, seconds=2.0),
        ran("d", 3, status="failed", result=None, error="boom"),
        ran("c", 2, inputs={"n": "2", "m": "0"}, result="2"),
        ran("b", 1),
        ran("new", 9),
    ]
    found = compare_runs(a, b)
    assert [d.name for d in found.differences] == ["c", "d", "e"]
    assert found.first.name == "c"
    c, d, e = found.differences
    assert (c.inputs_changed, c.inputs_added, c.inputs_removed, c.result_changed) == (("n",), ("m",), (), True)
    assert (d.status, d.error_changed) == (("completed", "failed"), True)
    assert (e.duration_s, e.substantial) == ((1.0, 2.0), False)
    assert ([t.name for t in found.only_a], [t.name for t in found.only_b], found.same) == (["gone"], ["new"], 2)
    assert "1 task ended differently" in found.summary
    assert found.summary.endswith("First difference: “c” had other inputs (“n”, “m”).")


def test_the_first_divergence_is_not_a_matter_of_speed():
    found = compare_runs([ran("a"), ran("b", 1)], [ran("a", seconds=9), ran("b", 1, result="2")])
    assert found.first.name == "b"


def test_what_did_not_start_comes_last():
    a = [ran("a"), ran("b", 1)]
    b = [ran("a", status="blocked", started_s=None, duration_s=None, result=None), ran("b", 1, result="2")]
    assert [d.name for d in compare_runs(a, b).differences] == ["b", "a"]


def test_the_order_of_starts_is_compared():
    a = [ran(name, place) for place, name in enumerate("abcde")]
    b = [ran(name, place) for place, name in enumerate("abdec")]
    assert compare_runs(a, b).moved == ["c"]


@pytest.mark.parametrize(
    ("a", "b", "noise"), [(0.1, 0.29, True), (0.1, 0.4, False), (100, 119, True), (100, 121, False)]
)
def test_the_noise_of_durations(a, b, noise):
    assert (not compare_runs([ran("a", seconds=a)], [ran("a", seconds=b)]).differences) == noise


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
)
run_tasks = st.lists(
    st.builds(
        RunTask, key=st.text(max_size=3), id=st.text(max_size=3), name=st.text(max_size=3),
        status=st.sampled_from(list(Status)),
        inputs=st.dictionaries(st.text(max_size=2), json_values.map(fingerprint), max_size=3),
        result=st.none() | json_values.map(fingerprint), error=st.none() | st.text(max_size=3),
        started_s=st.none() | st.floats(0, 100), duration_s=st.none() | st.floats(0, 100),
    ),
    max_size=8,
)  # fmt: skip


@settings(deadline=None)
@given(run_tasks)
def test_a_run_does_not_differ_from_itself(tasks):
    found = compare_runs(tasks, [replace(t) for t in tasks])
    assert (found.differences, found.only_a, found.only_b, found.moved, found.first) == ([], [], [], [], None)
    assert found.summary.startswith("No differences")


@pytest.mark.parametrize(("a", "b"), [(1, True), (1, 1.0), (None, False), ("1", 1), ([], {}), ("x" * 99, "x" * 98)])
def test_fingerprints_tell_values_apart(a, b):
    assert fingerprint(a) != fingerprint(b)


def test_fingerprints_are_short_and_know_no_order_of_keys():
    assert fingerprint({"a": 1, "b": "x" * 1000}) == fingerprint({"b": "x" * 1000, "a": 1})
    assert len(fingerprint("x" * 100_000)) < 100
