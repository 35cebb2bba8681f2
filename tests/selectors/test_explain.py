from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orchestration.domain.errors import Conflict, Invalid, NotFound
from orchestration.domain.explain.sentences import Relation
from orchestration.domain.explain.verdicts import Verdict
from orchestration.domain.ready_queue import Slots
from orchestration.domain.states import Status
from orchestration.domain.work import Ending, Outcome
from orchestration.models import Worker
from orchestration.selectors.explain import compare, dry_run_of, explain_run, explain_task
from orchestration.services.runs import run_cancel, run_start
from orchestration.services.transitions import Transitions
from tests.factories import grant, make_tree, make_user, task, task_named

pytestmark = pytest.mark.django_db(transaction=True)

ETL = (
    task("root", executor=""),
    task("fetch", inputs={"n": 1}),
    task("load", after=["fetch"]),
    task("report", after=["load"]),
    task("mail", after=["fetch"], optional=["report"]),
)


@pytest.fixture
def ann():
    return make_user("ann")


class Engine:
    """Runs what is ready without executors: each task ends as *ends* says."""

    def __init__(self, **ends):
        self.ends = ends
        self.transitions = Transitions("w", lease_s=60, recovery_limit=3)

    def outcome(self, work):
        end = self.ends.get(work.name, {"n": 1})
        if isinstance(end, str):
            return Outcome(work.run_id, work.task_id, work.attempt, Ending.FAILED, error=end)
        return Outcome(work.run_id, work.task_id, work.attempt, Ending.COMPLETED, result=f'{{"n": {end["n"]}}}')

    def step(self, outcomes=(), slots=100):
        return self.transitions.apply(list(outcomes), Slots(slots, slots)).works

    def finish(self):
        works = self.step()
        while works:
            works = self.step([self.outcome(work) for work in works])


def run_tree(tree, mode="all", chosen=(), overrides=None, **ends):
    run = run_start(user=tree.owner, tree_id=tree.pk, mode=mode, chosen=chosen, overrides=overrides)
    Engine(**ends).finish()
    run.refresh_from_db()
    return run


def verdict_names(found):
    return {(found.tasks[v.task].name, found.tasks[v.depends_on].name): v.verdict for v in found.verdicts}


def test_a_failed_run_names_its_cause_and_what_it_blocked(ann):
    run = run_tree(make_tree(*ETL, owner=ann), load="boom")
    found = explain_run(ann, run.pk)
    assert [(c.name, c.error, c.blocked, c.names) for c in found.causes] == [("load", "boom", 1, ("report",))]
    assert verdict_names(found) == {
        ("load", "fetch"): Verdict.SATISFIED,
        ("report", "load"): Verdict.UNMET,
        ("mail", "fetch"): Verdict.SATISFIED,
        ("mail", "report"): Verdict.IGNORED,
    }
    assert found.path.steps[0].name in {"fetch", "root"}


def test_an_earlier_run_is_explained_as_it_was(ann):
    tree = make_tree(*ETL, owner=ann)
    first = run_tree(tree, load="boom")
    before = explain_run(ann, first.pk)
    second = run_tree(tree, mode="failed")
    assert second.status == Status.COMPLETED
    after = explain_run(ann, first.pk)
    assert [(c.name, c.blocked) for c in after.causes] == [(c.name, c.blocked) for c in before.causes]
    assert verdict_names(after) == verdict_names(before)
    assert [s.task for s in after.path.steps] == [s.task for s in before.path.steps]
    now = explain_run(ann, second.pk)
    assert now.causes == []
    assert verdict_names(now)["load", "fetch"] == Verdict.REUSED
    third = run_tree(tree)
    assert third.number == 3
    again = verdict_names(explain_run(ann, second.pk))
    assert again["load", "fetch"] == Verdict.REUSED


def test_a_blocked_task_is_led_to_its_cause(ann):
    tree = make_tree(*ETL, owner=ann)
    run_tree(tree, fetch="boom")
    found = explain_task(ann, task_named(tree, "report").pk)
    assert [link.name for link in found.why.chain] == ["report", "load", "fetch"]
    assert found.why.chain[-1].relation == Relation.FAILED
    assert found.why.remedies[0].task_id == task_named(tree, "fetch").pk.hex


def test_a_task_whose_cause_was_mended_since_is_offered_a_run(ann):
    tree = make_tree(*ETL, owner=ann)
    run_tree(tree, load="boom")
    run_tree(tree, mode="only", chosen=[task_named(tree, "load").pk])
    report = task_named(tree, "report")
    why = explain_task(ann, report.pk).why
    assert [link.name for link in why.chain] == ["report"]
    assert "since" in why.headline
    assert [(r.kind, r.task_id) for r in why.remedies] == [("rerun", report.pk.hex)]


def live_worker(process=1):
    now = timezone.now()
    fields = {"host": "h", "pid": 1, "process_slots": process, "async_slots": 1, "started_at": now, "heartbeat_at": now}
    Worker.objects.create(id="w", **fields)


def test_a_ready_task_sees_the_queue_and_only_the_holders_it_may_see(ann, settings):
    settings.ORCHESTRATION = settings.ORCHESTRATION | {"command_enabled": True}
    live_worker()
    other, ann = grant(make_user("bob"), "use_shell"), grant(ann, "use_shell")
    run_start(user=other, tree_id=make_tree(task("secret", executor="command"), owner=other).pk)
    engine = Engine()
    engine.step()
    tree = make_tree(task("a", executor="command"), task("b", executor="command", priority=0), owner=ann)
    run_start(user=ann, tree_id=tree.pk)
    engine.step(slots=0)
    why = explain_task(ann, task_named(tree, "a").pk).why
    assert why.chain[0].relation == Relation.SLOT
    assert (why.queue.ahead, why.queue.ahead_higher) == (1, 1)
    assert [(h.task, h.name) for h in why.queue.holders] == [(None, "a task of another user")]
    assert "secret" not in repr(why)


def test_inputs_say_where_they_came_from(ann):
    tree = make_tree(*ETL, owner=ann)
    fetch = task_named(tree, "fetch")
    run_tree(tree, overrides={str(fetch.pk): {"inputs": {"m": 2}}})
    words = {o.key: o.words for o in explain_task(ann, fetch.pk).origins}
    assert words == {"n": "declared", "m": "override of this run"}
    words = [o.words for o in explain_task(ann, task_named(tree, "load").pk).origins]
    assert len(words) == 1
    assert words[0].startswith("from “fetch” → result")


def test_a_task_that_never_ran_is_offered_a_run(ann):
    tree = make_tree(*ETL, owner=ann)
    why = explain_task(ann, task_named(tree, "load").pk).why
    assert (why.chain[0].relation, why.remedies[0].kind) == (Relation.NOT_IN_RUN, "run")


def test_a_dry_run_reads_history_and_slots(ann):
    tree = make_tree(*ETL, owner=ann)
    fresh = dry_run_of(ann, tree.pk)
    assert (fresh.forecast.unknown, fresh.engine_alive) == (4, False)
    assert [[fresh.names[t] for t in wave] for wave in fresh.forecast.waves] == [
        ["root", "fetch"], ["load"], ["report"], ["mail"],
    ]  # fmt: skip
    live_worker(process=3)
    run_tree(tree, load="boom")
    known = dry_run_of(ann, tree.pk, mode="failed")
    assert (known.forecast.unknown, known.engine_alive, known.slots.process) == (2, True, 3)
    assert known.decisions[task_named(tree, "fetch").pk.hex].runs is False


def test_a_dry_run_refuses_like_a_run(ann):
    tree = make_tree(*ETL, owner=ann)
    run_tree(tree)
    with pytest.raises(Conflict):
        dry_run_of(ann, tree.pk, mode="failed")
    with pytest.raises(Invalid):
        dry_run_of(ann, tree.pk, mode="some")
    with pytest.raises(Invalid):
        dry_run_of(ann, tree.pk, mode="from", chosen=["nonsense"])


def test_two_runs_are_compared(ann):
    tree = make_tree(*ETL, owner=ann)
    a, b = run_tree(tree), run_tree(tree, fetch={"n": 2}, load="boom")
    found = compare(ann, a.pk, b.pk).comparison
    kinds = {d.name: (d.status, d.result_changed, d.inputs_differ) for d in found.differences if d.substantial}
    assert kinds["fetch"] == (None, True, False)
    assert kinds["load"][0] == ("completed", "failed")
    assert kinds["report"][0] == ("completed", "blocked")
    assert found.first.name == "fetch"
    assert compare(ann, b.pk, b.pk).comparison.differences == []


def test_runs_of_two_trees_pair_by_name(ann):
    a, b = (run_tree(make_tree(*ETL, owner=ann)) for _ in range(2))
    found = compare(ann, a.pk, b.pk).comparison
    assert (found.only_a, found.only_b) == ([], [])
    assert found.same + len(found.differences) == 5


def test_a_cancelled_run_is_compared_without_attempts(ann):
    tree = make_tree(*ETL, owner=ann)
    first = run_start(user=ann, tree_id=tree.pk)
    run_cancel(user=ann, run_id=first.pk, reason="no")
    second = run_tree(tree)
    found = compare(ann, first.pk, second.pk).comparison
    assert {d.status for d in found.differences if d.name != "root"} == {("cancelled", "completed")}


def test_strangers_find_nothing(ann):
    tree = make_tree(*ETL, owner=ann)
    run = run_tree(tree)
    stranger = make_user("eve")
    own = run_tree(make_tree(owner=stranger))
    for call in (
        lambda: explain_task(stranger, task_named(tree, "load").pk),
        lambda: explain_task(ann, uuid4()),
        lambda: explain_run(stranger, run.pk),
        lambda: dry_run_of(stranger, tree.pk),
        lambda: compare(stranger, run.pk, own.pk),
        lambda: compare(stranger, own.pk, run.pk),
    ):
        with pytest.raises(NotFound):
            call()


def queries(call):
    with CaptureQueriesContext(
        connection,
    ) as caught:
        call()
    return len(caught)


def test_the_number_of_queries_does_not_grow_with_the_tree(ann):
    counts = []
    for size in (3, 60):
        tree = make_tree(task("root"), *(task(f"t{n}", after=["root"]) for n in range(size)), owner=ann)
        first = run_tree(tree, root="boom")
        second = run_tree(tree, mode="failed")
        last = task_named(tree, f"t{size - 1}").pk
        counts.append(
            [
                queries(lambda run=first: explain_run(ann, run.pk)),
                queries(lambda run=second: explain_run(ann, run.pk)),
                queries(lambda task=last: explain_task(ann, task)),
                queries(lambda tree=tree: dry_run_of(ann, tree.pk)),
                queries(lambda a=first, b=second: compare(ann, a.pk, b.pk)),
            ]
        )
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 16


def test_a_run_under_way_counts_up_to_now(ann):
    tree = make_tree(*ETL, owner=ann)
    run = run_start(user=ann, tree_id=tree.pk)
    Engine().step()
    found = explain_run(ann, run.pk, now=timezone.now() + timedelta(seconds=30))
    assert 29 < found.path.total_s < 40
