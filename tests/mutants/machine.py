"""A hypothesis machine that plays everything at the engine's transitions that may happen, on a real database.

Attempts report late, twice and in any order; the engine crashes and another takes over; transactions fail halfway;
people start, cancel and re-run. After every step the events are folded and compared with the rows.
"""

from __future__ import annotations

import random
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from unittest import mock
from uuid import UUID

from django.db import OperationalError, transaction
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from orchestration.domain.errors import AlreadyFinished, AlreadyRunning, Conflict
from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import ENGINE_LOST, RELEASED, Ending, Outcome
from orchestration.executors import registry
from orchestration.executors.base import Executor
from orchestration.models import Attempt, Event, Run, Task
from orchestration.selectors.attempts import live_attempts
from orchestration.services import transitions as transitions_module
from orchestration.services.runs import run_cancel, run_start, task_cancel
from orchestration.services.transitions import Transitions
from tests.factories import make_tree, make_user, task
from tests.support_fold import verify

RECOVERY_LIMIT = 2
ENDINGS = (Ending.COMPLETED, Ending.FAILED, Ending.CANCELLED, Ending.LOST, Ending.RELEASED, Ending.PROGRESS)


class Plain(Executor):
    id = "m_plain"
    name = "Plain"
    isolated = False

    def run(self, ctx):
        raise AssertionError("the machine runs nothing")


class Unstoppable(Plain):
    id = "m_unstoppable"
    cancelable = False
    merges_results = True


EXECUTORS = (Plain, Unstoppable)
KINDS = ("", "m_plain", "m_plain", "m_unstoppable")

shapes = st.lists(
    st.fixed_dictionaries({
        "kind": st.sampled_from(KINDS),
        "priority": st.integers(0, 3),
        "max_attempts": st.integers(1, 3),
        "base_s": st.sampled_from([0, 10]),
        "awaits": st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["required", "optional", "map"])), max_size=3),
        "parent": st.integers(0, 9),
    }),
    min_size=1,
    max_size=6,
)  # fmt: skip


def tree_of(shape):
    """A stored tree of *shape*: each task may wait for earlier ones and lies under one of them."""
    tasks = []
    for number, one in enumerate(shape):
        edges = {f"t{at % number}": how for at, how in one["awaits"]} if number else {}
        dependencies = [
            {"name": name, "required": how != "optional"} | ({"map": {"x": "missing"}} if how == "map" else {})
            for name, how in edges.items()
        ]
        tasks.append(
            task(
                f"t{number}",
                executor=one["kind"],
                priority=one["priority"],
                parent=f"t{one['parent'] % number}" if number else None,
                dependencies=dependencies,
                max_attempts=one["max_attempts"],
                backoff={"strategy": "fixed", "base_s": one["base_s"]},
            )
        )
    return make_tree(*tasks)


class Machine(RuleBasedStateMachine):
    """Needs a test database that is open for this thread."""

    def __init__(self):
        super().__init__()
        self.cleanup = ExitStack()
        random.seed(0)
        for made in EXECUTORS:
            registry.register(made())
            self.cleanup.callback(registry.unregister, made.id)
        self.clock = datetime(2030, 1, 1, tzinfo=UTC)
        self.cleanup.enter_context(mock.patch.object(timezone, "now", self.now))
        example = transaction.atomic()
        example._from_testcase = True  # the engine's transactions insist on being the outermost ones
        self.cleanup.enter_context(example)
        self.cleanup.callback(transaction.set_rollback, True)
        self.user = make_user()
        self.trees = []
        self.given = []  # every hand-out there ever was
        self.lives = 0
        self.new_engine()

    def teardown(self):
        self.cleanup.close()

    def now(self):
        self.clock += timedelta(milliseconds=1)
        return self.clock

    def new_engine(self):
        self.lives += 1
        self.worker = f"engine-{self.lives}"
        self.engine = Transitions(self.worker, lease_s=15, recovery_limit=RECOVERY_LIMIT)

    # -- rules -----------------------------------------------------------------------------------------------------

    @initialize(first=shapes, second=shapes)
    def trees_exist(self, first, second):
        self.trees = [tree_of(first), tree_of(second)]
        for tree in self.trees:
            run_start(user=self.user, tree_id=tree.pk)

    @rule(at=st.integers(0, 1), mode=st.sampled_from(["all", "failed", "from", "only"]), chosen=st.integers(0, 5))
    def start(self, at, mode, chosen):
        tree = self.trees[at]
        tasks = list(Task.objects.filter(tree=tree).order_by("position"))
        active = Run.objects.filter(tree=tree, status="in_progress").first()
        before = [(t.status, t.attempt) for t in tasks]
        try:
            run = run_start(user=self.user, tree_id=tree.pk, mode=mode, chosen=[tasks[chosen % len(tasks)].pk])
        except AlreadyRunning as refused:
            assert active is not None
            assert refused.run_id == active.pk  # noqa: PT017
        except Conflict:
            assert mode == "failed"
            assert all(t.status == "completed" for t in tasks)
        else:
            assert active is None, "two active runs of one tree"
            scope = Task.objects.filter(run=run)
            assert set(scope.values_list("status", "progress")) == {("pending", 0.0)}, "the scope is pending at once"
            return
        now = [(t.status, t.attempt) for t in Task.objects.filter(tree=tree).order_by("position")]
        assert now == before, "a refusal changed something"

    @rule(slots=st.integers(1, 3))
    def claim(self, slots):
        self.apply([], slots)

    @precondition(lambda self: self.given)
    @rule(at=st.integers(0, 99), ending=st.sampled_from(ENDINGS), retryable=st.booleans())
    def report(self, at, ending, retryable):
        """One report without new starts: what it does is known exactly."""
        work = self.given[-1 - at % len(self.given)]
        outcome = self.outcome(work, ending, retryable)
        before = Task.objects.get(pk=UUID(work.task_id))
        run = Run.objects.get(pk=work.run_id)
        late = Event.objects.filter(run=run, kind="late_result").count()
        past = Attempt.objects.filter(run=run, task=before, number__lt=before.attempt)
        counted = past.exclude(error_code__in=[ENGINE_LOST, RELEASED]).count() + 1
        lost = past.filter(error_code=ENGINE_LOST).count()
        self.apply([outcome], 0)
        after = Task.objects.get(pk=before.pk)
        live = run.status == before.status == "in_progress" and before.attempt == work.attempt
        logged = Event.objects.filter(run=run, kind="late_result").count() - late
        if not live or before.run_id != work.run_id:
            assert logged == (ending != Ending.PROGRESS), "a late report is logged"
            assert (after.attempt, after.error) == (before.attempt, before.error), "a late report changed the task"
            assert after.status == before.status or before.status == "pending", "a late report changed the status"
            return
        assert after.status == self.expected(before, outcome, counted, lost), "what the report leads to"
        if after.status == "completed":
            assert Attempt.objects.get(task=after, number=after.attempt).result == [work.attempt]

    @precondition(lambda self: self.given)
    @rule(picks=st.lists(st.tuples(st.integers(0, 9), st.sampled_from(ENDINGS)), min_size=2, max_size=5),
          slots=st.integers(0, 3))  # fmt: skip
    def report_many(self, picks, slots):
        self.apply([self.outcome(self.given[-1 - at % len(self.given)], e, True) for at, e in picks], slots)

    @precondition(lambda self: self.given)
    @rule(at=st.integers(0, 9), slots=st.integers(0, 2))
    def transaction_fails(self, at, slots):
        """Nothing of it is stored, and the same reports can be delivered again."""
        reports = [self.outcome(self.given[-1 - at % len(self.given)], Ending.COMPLETED, True)]
        before = list(Task.objects.order_by("pk").values_list("status", "attempt", "progress"))
        broken = mock.patch.object(transitions_module, "store", side_effect=OperationalError("disk I/O error"))
        with broken, suppress(OperationalError):
            self.engine.apply(reports, Slots(0, slots))
        assert list(Task.objects.order_by("pk").values_list("status", "attempt", "progress")) == before
        self.apply(reports, 0)

    @rule(at=st.integers(0, 1), chosen=st.integers(0, 5), subtree=st.booleans())
    def cancel_task(self, at, chosen, subtree):
        tasks = list(Task.objects.filter(tree=self.trees[at]).order_by("position"))
        before = tasks[chosen % len(tasks)]
        try:
            after = task_cancel(user=self.user, task_id=before.pk, reason="enough", subtree=subtree)
        except AlreadyFinished:
            run = Run.objects.filter(tree=self.trees[at], status="in_progress").first()
            assert run is None or before.run_id != run.pk or before.status not in ("pending", "in_progress")
            return
        if before.status == "pending" or (before.status == "in_progress" and before.executor == "m_unstoppable"):
            assert (after.status, after.error) == ("cancelled", "Cancelled by ann: enough")
        else:
            assert after.status == before.status, "only a confirmed stop ends it"

    @rule(at=st.integers(0, 1))
    def cancel_run(self, at):
        run = Run.objects.filter(tree=self.trees[at]).order_by("-number").first()
        try:
            run_cancel(user=self.user, run_id=run.pk)
        except AlreadyFinished:
            assert run.status != "in_progress"
            return
        assert not Task.objects.filter(run=run, status="pending").exists(), "pending after the cancel of the run"

    @rule(slots=st.integers(0, 2))
    def crash(self, slots):
        self.new_engine()
        lost = [
            Outcome(run_id, task_id, number, Ending.LOST, error="its engine ended", error_code=ENGINE_LOST)
            for run_id, task_id, number, _ in live_attempts(except_worker=self.worker)
        ]
        self.apply(lost, slots)

    @rule()
    def tick_and_sweep(self):
        self.clock += timedelta(seconds=20)
        self.apply([], 1, sweep=True)

    # -- what every step must keep ---------------------------------------------------------------------------------

    def outcome(self, work, ending, retryable):
        more = {}
        if ending == Ending.COMPLETED:
            more = {"result": f"[{work.attempt}]"}
        elif ending == Ending.PROGRESS:
            more = {"progress": 0.5, "message": "half"}
        else:
            code = {Ending.LOST: ENGINE_LOST, Ending.RELEASED: RELEASED}.get(ending, "oops")
            more = {"error": f"{ending} of {work.attempt}", "error_code": code, "retryable": retryable}
        return Outcome(work.run_id, work.task_id, work.attempt, ending, **more)

    def expected(self, before, outcome, counted, lost):
        if outcome.ending == Ending.PROGRESS:
            return "in_progress"
        if before.stop_requested_at is not None or outcome.ending == Ending.CANCELLED:
            return "cancelled"
        if outcome.ending == Ending.COMPLETED:
            return "completed"
        if outcome.ending == Ending.RELEASED:
            return "pending"
        if outcome.ending == Ending.LOST:
            return "pending" if lost < RECOVERY_LIMIT else "failed"
        return "pending" if outcome.retryable and counted < before.max_attempts else "failed"

    def apply(self, outcomes, slots, *, sweep=False):
        applied = self.engine.apply(outcomes, Slots(0, slots), sweep=sweep)
        assert len(applied.works) <= slots, "more attempts than slots"
        for work in applied.works:
            assert Attempt.objects.filter(
                task=UUID(work.task_id), number=work.attempt, status="in_progress", worker=self.worker
            ).exists(), "a start that is not committed"
        self.best_first(applied.works)
        self.given += applied.works

    def best_first(self, works):
        left = Task.objects.filter(ready_at__isnull=False, run__status="in_progress")
        best = min(left.values_list("priority", flat=True), default=9)
        started = [Task.objects.get(pk=UUID(w.task_id)).priority for w in works]
        assert all(priority <= best for priority in started), "something better was left waiting"

    def check(self):
        for tree in self.trees:
            run = Run.objects.filter(tree=tree).order_by("-number").first()
            if run is not None:
                verify(run.pk)

    def check_invariants(self, *args, **kwargs):
        super().check_invariants(*args, **kwargs)
        self.check()
