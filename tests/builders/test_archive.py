from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from orchestration.builders.archive import preview_archive, tree_archive
from orchestration.builders.copy import tree_copy
from orchestration.builders.link import tree_link
from orchestration.builders.mixed import tree_mixed
from orchestration.domain.errors import Conflict, Forbidden, NotFound
from orchestration.models import Attempt, Dependency, Event, Run, Task, Tree
from orchestration.services.runs import run_start
from orchestration.services.trees import task_update, tree_delete, tree_rename
from tests.builders.support import (
    count_rows,
    make_chain,
    make_source,
    outline,
    result_of,
    root_of,
    run_tree,
    same_as_preview,
    share,
    state_of,
    statuses,
)
from tests.factories import make_tree, make_user, task, task_named

pytestmark = pytest.mark.django_db

KEPT = ("name", "status", "progress", "error", "attempt", "started_at", "completed_at", "inputs", "params", "priority")
KEPT_ATTEMPT = (
    "task__name", "number", "try_number", "status", "executor", "worker", "inputs", "provenance", "result", "error",
    "error_code", "traceback", "log", "started_at", "completed_at",
)  # fmt: skip


def archive_of(tree, name="r", **fields):
    return tree_archive(user=tree.owner, task_id=task_named(tree, name).pk, **fields)


def kept(tree):
    return list(Task.objects.filter(tree=tree).order_by("position").values_list(*KEPT))


def kept_attempts(tree):
    return list(Attempt.objects.filter(task__tree=tree).order_by("task__position").values_list(*KEPT_ATTEMPT))


@pytest.fixture
def source():
    tree = make_source(labels=("x",))
    run_tree(tree)
    return tree


def test_an_archive_is_a_snapshot_with_results_and_times(source):
    before, attempts = state_of(source), kept_attempts(source)
    shown = preview_archive(user=source.owner, task_id=root_of(source).pk)
    archive = archive_of(source)
    assert outline(archive) == outline(source)
    assert same_as_preview(shown, archive)
    assert kept(archive) == kept(source)
    assert kept_attempts(archive) == attempts
    assert (archive.origin_type, archive.original, archive.labels) == ("archive", source, ["x"])
    assert archive.archived_at is not None
    assert task_named(archive, "c2").original == task_named(source, "c2")
    assert task_named(archive, "c2").origin_type == "archive"
    assert state_of(source) == before


def test_its_run_looks_like_the_one_that_made_it(source):
    archive = archive_of(source)
    run, made_by = Run.objects.get(tree=archive), Run.objects.get(tree=source)
    same = ("number", "status", "mode", "total", "completed", "failed", "cancelled", "blocked", "running")
    assert [getattr(run, f) for f in same] == [getattr(made_by, f) for f in same]
    assert (run.started_by, run.seq, archive.run_count) == (source.owner, 0, 1)
    assert made_by.started_at <= run.started_at <= run.completed_at <= made_by.completed_at
    assert set(Task.objects.filter(tree=archive).values_list("run", flat=True)) == {run.pk}
    assert not Event.objects.filter(run=run).exists()


def test_it_outlives_the_original(source):
    archive = archive_of(source)
    attempts = kept_attempts(archive)
    tree_delete(user=source.owner, tree_id=source.pk)
    assert kept_attempts(archive) == attempts
    assert result_of(task_named(archive, "c2"))["of"] == "c2"
    archive.refresh_from_db()
    assert (archive.original, task_named(archive, "c2").original) == (None, None)


def test_the_newest_attempt_is_kept(source):
    run_tree(source)
    archive = archive_of(source)
    assert result_of(task_named(archive, "c2"))["attempt"] == 2
    assert Attempt.objects.filter(task__tree=archive).count() == 6


def test_what_has_not_completed_is_archived_on_request_only():
    tree = make_source()
    run_tree(tree, fail=["c2"])
    for act in (tree_archive, preview_archive):
        with pytest.raises(Conflict, match=r"only a fully completed .*; unfinished: 'c2', 'c3', 'c4'$"):
            act(user=tree.owner, task_id=root_of(tree).pk)
    archive = archive_of(tree, finished=True)
    assert kept(archive) == kept(tree)
    assert kept_attempts(archive) == kept_attempts(tree)
    c2, c3, c4 = (task_named(archive, name) for name in ("c2", "c3", "c4"))
    assert (c2.error, c3.blocked_by, c4.blocked_by) == ("broke", c2, c3)
    run = Run.objects.get(tree=archive)
    assert (run.status, run.completed, run.failed, run.blocked, run.pending) == ("failed", 3, 1, 2, 0)
    shown = preview_archive(user=tree.owner, task_id=root_of(tree).pk, finished=True)
    assert shown.warnings[0] == "'c3' was blocked and stays pending for ever"
    assert archive_of(tree, "g", finished=True).archived_at is not None


def test_a_handled_failure_makes_no_failed_run():
    tree = make_tree(task("r", executor=""), task("a"), task("b", optional=["a"]))
    run_tree(tree, fail=["a"])
    assert Run.objects.get(tree=archive_of(tree, finished=True)).status == "completed"


def test_what_has_not_run_is_not_archived_at_all():
    tree = make_source()
    with pytest.raises(Conflict, match="only a finished task or tree can be archived; unfinished: 'r', 'c1'"):
        archive_of(tree, finished=True)


def test_an_attempt_of_an_earlier_run_is_not_taken_for_the_state(source):
    run_tree(source, fail=["c2"])
    archive = archive_of(source, finished=True)
    c3 = task_named(archive, "c3")
    assert (c3.status, c3.attempt, c3.attempts.count()) == ("pending", 0, 0)


@pytest.mark.parametrize(("recursive", "expected"), [(True, "g(c4)"), (False, "g")])
def test_a_part_is_archived_without_what_it_waited_for(source, recursive, expected):
    assert outline(archive_of(source, "g", recursive=recursive)) == expected


FROZEN = "UPDATE orchestration_task SET {} WHERE tree_id = %s"
CASES = {
    "save": lambda t: task_named(t, "c1").save(),
    "update": lambda t: Task.objects.filter(tree=t).update(name="x"),
    "status": lambda t: Task.objects.filter(tree=t).update(status="pending", completed_at=None),
    "delete": lambda t: task_named(t, "c1").delete(),
    "delete all": lambda t: Task.objects.filter(tree=t).delete(),
    "delete tree": lambda t: t.delete(),
    "dependency": lambda t: Dependency.objects.filter(task__tree=t).update(required=False),
    "dependency delete": lambda t: Dependency.objects.filter(task__tree=t)[0].delete(),
    "attempt": lambda t: Attempt.objects.filter(task__tree=t).update(result=None),
    "attempt delete": lambda t: Attempt.objects.filter(task__tree=t)[0].delete(),
    "run": lambda t: Run.objects.filter(tree=t).update(completed=0),
    "run delete": lambda t: Run.objects.filter(tree=t)[0].delete(),
    "add task": lambda t: Task.objects.create(
        tree=t, name="x", position=9, created_at=t.created_at, updated_at=t.created_at, parent=task_named(t, "r")
    ),
    "add dependency": lambda t: Dependency.objects.create(task=task_named(t, "c1"), depends_on=task_named(t, "r")),
    "add run": lambda t: Run.objects.create(tree=t, number=2, started_at=t.created_at),
    "raw": lambda t: connection.cursor().execute(FROZEN.format("progress = 0"), [t.pk]),
    "raw delete": lambda t: connection.cursor().execute("DELETE FROM orchestration_task WHERE tree_id = %s", [t.pk]),
}


@pytest.mark.parametrize("act", CASES.values(), ids=CASES)
def test_the_database_refuses_every_change(source, act):
    archive = archive_of(source)
    before, attempts = state_of(archive), kept_attempts(archive)
    with pytest.raises(DatabaseError, match=r"frozen|terminal is final"), transaction.atomic():
        act(archive)
    assert (state_of(archive), kept_attempts(archive)) == (before, attempts)


@pytest.mark.parametrize(
    "act",
    [
        lambda t: task_update(user=t.owner, task_id=task_named(t, "c1").pk, version=1, changes={"priority": 1}),
        lambda t: tree_rename(user=t.owner, tree_id=t.pk, name="x"),
        lambda t: run_start(user=t.owner, tree_id=t.pk),
        lambda t: run_start(user=t.owner, tree_id=t.pk, mode="failed"),
        lambda t: tree_delete(user=t.owner, tree_id=t.pk),
    ],
    ids=["update", "rename", "run", "rerun", "delete"],
)
def test_services_say_that_it_is_frozen(source, act):
    archive = archive_of(source)
    with pytest.raises(Conflict, match="archive"):
        act(archive)
    assert kept(archive) == kept(source)


def test_it_can_be_copied_linked_mixed_and_archived_again(source):
    archive = archive_of(source)
    root, user = root_of(archive).pk, source.owner
    copy = tree_copy(user=user, task_id=root)
    assert outline(copy) == outline(source)
    assert set(statuses(copy).values()) == {"pending"}
    task_update(user=user, task_id=task_named(copy, "c1").pk, version=1, changes={"priority": 1})
    run_tree(copy)
    linked = tree_link(user=user, task_id=root)
    assert task_named(linked, "c1").linked_attempt.task == task_named(archive, "c1")
    mixed = tree_mixed(user=user, task_id=root, link_ids=[task_named(archive, "c1").pk])
    run_tree(mixed)
    again = archive_of(archive)
    assert (again.original, kept_attempts(again)) == (archive, kept_attempts(source))


def test_links_become_real_snapshots(source):
    linked = tree_link(user=source.owner, task_id=root_of(source).pk)
    archive = archive_of(linked)
    assert kept_attempts(archive) == kept_attempts(source)
    tree_delete(user=source.owner, tree_id=linked.pk)
    tree_delete(user=source.owner, tree_id=source.pk)
    assert result_of(task_named(archive, "c2"))["of"] == "c2"
    assert set(Task.objects.filter(tree=archive).values_list("linked_attempt", flat=True)) == {None}


def test_who_may_archive(source):
    other, task_id = make_user("other"), root_of(source).pk
    rows = count_rows()
    with pytest.raises(NotFound):
        tree_archive(user=other, task_id=task_id)
    viewer = make_user("vic", role="viewer")
    share(source, viewer)
    with pytest.raises(Forbidden):
        tree_archive(user=viewer, task_id=task_id)
    assert count_rows() == rows
    share(source, other)
    assert tree_archive(user=other, task_id=task_id).owner == other


def test_archiving_takes_a_constant_number_of_queries():
    counts = []
    for size in (30, 90):  # both more than one statement holds
        tree = make_chain(size)
        run_tree(tree)
        with CaptureQueriesContext(connection) as captured:
            archive_of(tree, "0")
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_the_account_that_archived_can_be_deleted_once_it_owns_nothing(source):
    other, heir = make_user("other"), make_user("heir")
    share(source, other)
    archive = tree_archive(user=other, task_id=root_of(source).pk)
    Tree.objects.filter(pk=archive.pk).update(owner=heir)
    other.delete()
    assert Run.objects.get(tree=archive).started_by is None
