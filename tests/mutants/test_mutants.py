"""The machine is only worth something if it finds faults: each of these, sown on purpose, must be found."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from orchestration.domain.progression import Progression
from orchestration.domain.ready_queue import ReadyQueue
from orchestration.domain.runstate import RunState
from orchestration.domain.states import Status
from orchestration.services import transitions, transitions_store
from orchestration.services.transitions import Transitions
from tests.factories import make_user
from tests.mutants.machine import Machine

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

SETTINGS = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    database=None,
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


def instead(target, name, make):
    """A fault: *target.name* is replaced by *make(the original)*."""
    return lambda: mock.patch.object(target, name, make(getattr(target, name)))


def cancel_everything(original):
    def cancel(self, tasks, reason, now):
        tasks = list(tasks)
        original(self, tasks, reason, now)
        for task in tasks:
            if task.in_scope and task.status in (Status.COMPLETED, Status.FAILED):
                self._cancel_now(task, reason, now)

    return cancel


def failed_counts_as_completed(original):
    def count(self, before, after):
        original(self, before, Status.COMPLETED if after == Status.FAILED else after)

    return count


def settled_twice(original):
    def settle(self, task, now):
        original(self, task, now)
        original(self, task, now)

    return settle


def no_wake_up(original):
    def settle(self, task, now):
        if len(task.dependents) < 2:
            original(self, task, now)

    return settle


def optional_counts_as_required(original):
    def settle(self, task, now):
        task.dependents = [(dependent, True) for dependent, _ in task.dependents]
        original(self, task, now)

    return settle


def late_result_overwrites(original):
    def note(self, outcome, now):
        original(self, outcome, now)
        task = self.tasks.get(outcome.task_id)
        if task is not None and task.in_scope and outcome.result is not None:
            task.status, task.error, task.completed_at = Status.COMPLETED, None, now
            self._touch(task)

    return note


def event_missing(original):
    def store(cursor, written, times):
        for _, changes in written:
            changes.events = [e for e in changes.events if e.kind != "task_retrying"]
        original(cursor, written, times)

    return store


def take_over_uses_a_try(original):
    def take_over(self, task, outcome, now):
        original(self, task, outcome, now)
        task.tries += 1

    return take_over


def stop_is_no_cancel(original):
    def confirm(self, task, outcome, now):
        if outcome.ending == "completed":
            task.stop_requested_at, task.stop_reason = None, ""
            self._complete(task, outcome, now)
        else:
            original(self, task, outcome, now)

    return confirm


def cancel_leaves_the_waiting(original):
    def cancel_run(self, reason, now):
        self.cancelling = True
        self.cancel([t for t in self.scope if t.status == Status.IN_PROGRESS], reason, now)

    return cancel_run


@contextmanager
def stale_view():
    """Other writers are neither noticed before nor at the store."""

    def synchronise(self, cursor, applied, now, *, sweep, original=Transitions._synchronise):
        if not self._states:
            original(self, cursor, applied, now, sweep=sweep)

    with (
        mock.patch.object(Transitions, "_synchronise", synchronise),
        mock.patch.object(transitions_store, "_expect", lambda *_: None),  # noqa: PT008
    ):
        yield


MUTANTS = {
    "no fence": instead(RunState, "holds", lambda _: lambda self, task, outcome: True),
    "fence without the attempt": instead(
        RunState, "holds", lambda _: lambda self, task, outcome: task.status == Status.IN_PROGRESS
    ),
    "cancel over an end": instead(RunState, "cancel", cancel_everything),
    "cancel loses to a result": instead(RunState, "_confirm_stop", stop_is_no_cancel),
    "cancel of a run leaves what waits": instead(RunState, "cancel_run", cancel_leaves_the_waiting),
    "failed counted as completed": instead(Progression, "_count", failed_counts_as_completed),
    "dependents settled twice": instead(Progression, "_settle_dependents", settled_twice),
    "lost wake-up": instead(Progression, "_settle_dependents", no_wake_up),
    "optional counts as required": instead(Progression, "_settle_dependents", optional_counts_as_required),
    "a failure is always handled": instead(
        Progression, "_verdict", lambda _: lambda self: Status.CANCELLED if self.cancelling else Status.COMPLETED
    ),
    "priority ignored": instead(ReadyQueue, "_rank", lambda _: lambda self, task: (0, task.ready_at)),
    "event missing": instead(transitions_store, "store_events", event_missing),
    "late result overwrites": instead(RunState, "note_late", late_result_overwrites),
    "taking over uses a try": instead(RunState, "_take_over", take_over_uses_a_try),
    "stale view": stale_view,
}


SEEDS = (7, 4, 16, 25, 10, 9, 2, 8)
"""One after the other, 25 examples each: what one seed misses another finds at once, for none is best at all faults."""


@pytest.mark.parametrize("name", MUTANTS)
def test_the_machine_finds(name):
    make_user()
    assert any(complains(name, number) for number in SEEDS)


def complains(name, number):
    """Whether the machine finds the fault *name* with the seed *number*."""
    logging.disable(logging.CRITICAL)
    try:
        with MUTANTS[name]():
            run_state_machine_as_test(seed(number)(Machine), settings=SETTINGS)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001  any complaint will do
        return True
    finally:
        logging.disable(logging.NOTSET)
    return False


def test_every_sown_fault_replaces_something_that_is_used():
    assert transitions.store is transitions_store.store
