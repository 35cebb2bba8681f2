"""Claims, cancels, re-executions, edits, copies, bulk operations and deletes of several trees cross: none waits in a
circle. The order is in services/locking.py; what it prevents is shown by taking it away."""

from __future__ import annotations

import random
import threading

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import F

from orchestration.builders.copy import tree_copy
from orchestration.domain.errors import OrchestrationError
from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import Ending, Outcome
from orchestration.models import Run, Task, Tree
from orchestration.services import bulk, idempotency
from orchestration.services.locking import lock_families
from orchestration.services.queue import task_prioritise
from orchestration.services.runs import run_cancel, run_start, task_cancel
from orchestration.services.transitions import Transitions
from orchestration.services.trees import task_update, tree_delete
from tests.factories import make_tree, make_user, task
from tests.services.test_transitions_races import race
from tests.support_fold import verify

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

TREES, STEPS = 6, 80
SHAPE = [("a", []), ("b", []), ("c", ["a", "b"]), ("d", ["a"])]


def new_tree(user):
    return make_tree(*(task(n, executor="simulate", after=after) for n, after in SHAPE), owner=user)


class Person:
    """Does one thing after the other, and remembers what was refused for no reason of its own."""

    def __init__(self, user, seed, errors):
        self.user = user
        self.random = random.Random(seed)
        self.errors = errors

    def trees(self):
        ids = list(Tree.objects.filter(owner=self.user).values_list("pk", flat=True))
        self.random.shuffle(ids)
        return ids

    def task(self):
        ids = list(Task.objects.filter(tree__owner=self.user).values_list("pk", flat=True))
        return self.random.choice(ids)

    def try_to(self, do):
        try:
            do()
        except OrchestrationError:
            pass  # it was refused, with a reason
        except Exception as error:  # noqa: BLE001  a deadlock, or a row that went away unnoticed
            self.errors.append(error)

    # -- what people do --------------------------------------------------------------------------------------------

    def start(self):
        run_start(user=self.user, tree_id=self.random.choice(self.trees()))

    def cancel_run(self):
        runs = Run.objects.filter(tree__owner=self.user, status="in_progress").values_list("pk", flat=True)
        for run_id in runs:
            run_cancel(user=self.user, run_id=run_id)
            break

    def cancel_task(self):
        task_cancel(user=self.user, task_id=self.task(), subtree=True)

    def prioritise(self):
        task_prioritise(user=self.user, task_id=self.task(), priority=self.random.randrange(4))

    def edit(self):
        found = Task.objects.get(pk=self.task())
        task_update(user=self.user, task_id=found.pk, version=found.version, changes={"priority": 1})

    def copy(self):
        with transaction.atomic():
            idempotency.claim(user=self.user, key=f"k{self.random.random()}", fingerprint="f")
            tree_copy(user=self.user, task_id=self.task())

    def delete(self):
        ids = self.trees()
        if len(ids) > TREES:
            tree_delete(user=self.user, tree_id=ids[0])

    def many(self):
        """As a bulk operation: several trees in one transaction, in the order in which they were chosen."""
        ids = self.trees()[:4]
        with transaction.atomic():
            bulk.lock_families(ids, copies=False)
            for tree_id in ids:
                self.try_inside(lambda tree_id=tree_id: self.cancel_or_start(tree_id))

    def cancel_or_start(self, tree_id):
        run = Run.objects.filter(tree=tree_id, status="in_progress").first()
        if run is None:
            run_start(user=self.user, tree_id=tree_id)
        else:
            run_cancel(user=self.user, run_id=run.pk)

    def try_inside(self, do):
        try:
            with transaction.atomic():
                do()
        except OrchestrationError:
            pass

    def live(self):
        kinds = [self.start, self.start, self.cancel_run, self.cancel_task, self.prioritise, self.edit, self.copy]
        kinds += [self.delete, self.many, self.many]
        for _ in range(STEPS):
            self.try_to(self.random.choice(kinds))


def work(engine, over, errors):
    """An engine: claims, completes and fails until everybody else has gone."""
    works = []
    while not over.is_set():
        outcomes = [
            Outcome(w.run_id, w.task_id, w.attempt, Ending.COMPLETED if w.attempt % 3 else Ending.FAILED, result="1")
            for w in works
        ]
        try:
            works = engine.apply(outcomes, Slots(0, 4)).works
        except DatabaseError as error:
            errors.append(error)
            return


@pytest.mark.fault
def test_nobody_waits_in_a_circle():
    user, errors, over = make_user(), [], threading.Event()
    for _ in range(TREES):
        new_tree(user)
    people = [Person(user, seed, errors) for seed in range(4)]
    left = [len(people)]

    def live(person):
        try:
            person.live()
        finally:
            left[0] -= 1
            if not left[0]:
                over.set()

    engine = Transitions("w", lease_s=15, recovery_limit=3)
    race(*(lambda person=person: live(person) for person in people), lambda: work(engine, over, errors))
    assert not errors, errors[:3]
    assert Run.objects.count() > 20
    for run_id in Run.objects.filter(number=F("tree__run_count")).values_list("pk", flat=True):
        verify(run_id)


def two_trees():
    user = make_user()
    trees = [new_tree(user), new_tree(user)]
    return user, [run_start(user=user, tree_id=tree.pk) for tree in trees]


def cancel_backwards(user, runs, met, *, locked):
    """Two runs of one transaction, the younger first, while the engine wants both."""
    with transaction.atomic():
        if locked:
            lock_families([run.tree_id for run in runs], copies=False)
        run_cancel(user=user, run_id=runs[1].pk)
        met.set()
        wait_until_somebody_waits(locked)
        run_cancel(user=user, run_id=runs[0].pk)


def wait_until_somebody_waits(locked):
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    for _ in range(2000):
        with connection.cursor() as cursor:
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
    raise AssertionError("the engine did not come")


def step_after(met, engine):
    met.wait(60)
    return engine.apply([], Slots(0, 4))


@pytest.mark.parametrize("locked", [True, False])
def test_the_order_is_what_prevents_it(locked):
    (user, runs), met = two_trees(), threading.Event()
    engine = Transitions("w", lease_s=15, recovery_limit=3)
    answers = race(lambda: cancel_backwards(user, runs, met, locked=locked), lambda: step_after(met, engine))
    deadlocks = [a for a in answers if isinstance(a, OperationalError) and "deadlock" in str(a)]
    assert len(deadlocks) == (0 if locked else 1), answers
