"""The database itself refuses to rewrite what has happened."""

from __future__ import annotations

import itertools

import pytest
from django.contrib.auth.models import Group, User
from django.core.checks import Tags, run_checks
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from orchestration import guards
from orchestration.domain.states import TERMINAL, Status
from orchestration.models import Attempt, Dependency, Event, Run, Task, Tree

pytestmark = pytest.mark.django_db
NOW = timezone.now()
LEGAL = {
    ("pending", "in_progress"),
    ("pending", "cancelled"),
    ("pending", "completed"),
    ("pending", "failed"),
    ("in_progress", "completed"),
    ("in_progress", "failed"),
    ("in_progress", "cancelled"),
    ("in_progress", "pending"),
}
PAIRS = list(itertools.permutations([s.value for s in Status], 2))


@pytest.fixture
def tree():
    owner = User.objects.create(username="owner")
    return Tree.objects.create(name="t", owner=owner, created_at=NOW, updated_at=NOW)


@pytest.fixture
def run(tree):
    return make_run(tree, 1)


def make_run(tree, number, status="in_progress"):
    ended = None if status == "in_progress" else NOW
    return Run.objects.create(tree=tree, number=number, status=status, started_at=NOW, completed_at=ended)


def make_task(tree, *, status="pending", run=None, **fields):
    ended = NOW if status in TERMINAL else None
    times = {"created_at": NOW, "updated_at": NOW, "completed_at": ended}
    return Task.objects.create(tree=tree, position=0, name="n", status=status, run=run, **times, **fields)


def make_attempt(task, run, *, number=1, status="in_progress"):
    ended = None if status == "in_progress" else NOW
    return Attempt.objects.create(task=task, run=run, number=number, status=status, started_at=NOW, completed_at=ended)


def refused(text):
    return pytest.raises(IntegrityError, match=text)


def update(row, **fields):
    with transaction.atomic():
        type(row).objects.filter(pk=row.pk).update(**fields)


@pytest.mark.parametrize(("old", "new"), [pair for pair in PAIRS if pair not in LEGAL])
def test_a_task_cannot_take_an_illegal_step(tree, run, old, new):
    task = make_task(tree, status=old, run=run)
    ended = NOW if new in TERMINAL else None
    with refused(f"task cannot go from {old} to {new}"):
        update(task, status=new, completed_at=ended)
    task.refresh_from_db()
    assert task.status == old


@pytest.mark.parametrize(("old", "new"), sorted(LEGAL))
def test_a_task_can_take_a_legal_step(tree, run, old, new):
    task = make_task(tree, status=old, run=run)
    update(task, status=new, completed_at=NOW if new in TERMINAL else None)
    task.refresh_from_db()
    assert task.status == new


@pytest.mark.parametrize("old", sorted(TERMINAL))
def test_only_a_new_run_resets_an_ended_task(tree, run, old):
    task = make_task(tree, status=old, run=run)
    with refused(f"terminal is final: task cannot go from {old} to pending within its run"):
        update(task, status="pending", completed_at=None)
    update(run, status="completed", completed_at=NOW)
    update(task, status="pending", completed_at=None, run=make_run(tree, 2))


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "failed"},
        {"result": 2},
        {"error": "e"},
        {"inputs": {"a": 1}},
        {"log": "more"},
        {"completed_at": NOW},
    ],
)
def test_an_ended_attempt_is_final(tree, run, fields):
    attempt = make_attempt(make_task(tree), run, status="completed")
    with refused("terminal is final: the attempt has ended"):
        update(attempt, **fields)


def test_a_live_attempt_ends_and_renews_its_lease(tree, run):
    attempt = make_attempt(make_task(tree), run)
    update(attempt, lease_expires_at=NOW)
    update(attempt, status="completed", result=1, completed_at=NOW)
    attempt.refresh_from_db()
    assert attempt.result == 1


def test_a_task_has_one_live_attempt(tree, run):
    task = make_task(tree)
    first = make_attempt(task, run)
    with refused(r"attempt_one_live_per_task|orchestration_attempt\.task_id$"), transaction.atomic():
        make_attempt(task, run, number=2)
    update(first, status="failed", completed_at=NOW)
    make_attempt(task, run, number=2)


def test_an_attempt_keeps_number_task_and_run(tree, run):
    task = make_task(tree)
    attempt = make_attempt(task, run)
    other = make_task(tree, parent=task)
    update(run, status="completed", completed_at=NOW)
    for fields in ({"number": 2}, {"task": other}, {"run": make_run(tree, 2)}):
        Run.objects.filter(number=2).delete() if "run" not in fields else None
        with refused("an attempt keeps its number, task and run"):
            update(attempt, **fields)


def test_events_are_append_only(run):
    event = Event.objects.create(run=run, seq=1, kind="run_started", at=NOW)
    with refused("events are append-only"):
        update(event, data={"x": 1})
    event.delete()  # with its run


@pytest.mark.parametrize("old", sorted(TERMINAL))
def test_an_ended_run_is_final(tree, old):
    run = make_run(tree, 1, old)
    with refused("terminal is final: the run has ended"):
        update(run, status="in_progress", completed_at=None)
    update(run, reason="by mistake")


def test_the_tasks_of_an_archive_are_frozen(tree, run):
    original = make_task(Tree.objects.create(name="o", owner=tree.owner, created_at=NOW, updated_at=NOW))
    task = make_task(tree, status="completed", original=original)
    child = make_task(tree, parent=task)
    dependency = Dependency.objects.create(task=child, depends_on=task)
    update(tree, archived_at=NOW)
    with refused("an archive is frozen"):
        update(task, name="other")
    with refused("an archive is frozen"):
        update(dependency, required=False)
    for row in (dependency, child):
        with refused("an archive is frozen"), transaction.atomic():
            row.delete()
    original.tree.delete()
    task.refresh_from_db()
    assert task.original_id is None


def test_the_check_reports_missing_triggers():
    assert run_checks(tags=[Tags.database], databases=["default"]) == []
    with connection.cursor() as cursor:
        cursor.execute(
            "DROP TRIGGER guard_event" + (" ON orchestration_event" if connection.vendor == "postgresql" else "")
        )
    messages = run_checks(tags=[Tags.database], databases=["default"])
    assert [m.id for m in messages] == ["orchestration.W001"]
    assert "guard_event" in messages[0].msg
    guards.install(connection)
    assert run_checks(tags=[Tags.database], databases=["default"]) == []


def test_guards_can_be_taken_out():
    guards.uninstall(connection)
    assert guards.missing(connection) == [guard.name for guard in guards.GUARDS]


def test_roles_build_on_each_other():
    rights = {g.name: set(g.permissions.values_list("codename", flat=True)) for g in Group.objects.all()}
    assert rights["viewer"] < rights["operator"] < rights["admin"]
    assert all(codename.startswith("view_") for codename in rights["viewer"])
    assert {"run_tree", "add_tree", "change_task", "delete_tree"} <= rights["operator"] - rights["viewer"]
    assert {"add_user", "change_group"} <= rights["admin"] - rights["operator"]
