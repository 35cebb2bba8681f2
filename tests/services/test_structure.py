"""Redefining a tree: what stays keeps its history."""

from __future__ import annotations

import pytest

from orchestration.builders.copy import tree_copy
from orchestration.builders.draft import draft_from_tree, fresh_item, own_ids, spec_of_draft
from orchestration.domain.errors import AlreadyRunning, Conflict, Forbidden, NotFound
from orchestration.domain.outline_edit import add, link, move, remove, update
from orchestration.domain.states import Status
from orchestration.models import Attempt, Tree
from orchestration.services.structure import tree_changes, tree_redefine
from tests.dashboard.rows import end_run, end_task, start
from tests.factories import make_tree, make_user, task, task_named

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree():
    return make_tree(task("root", executor=""), task("a"), task("b", after=["a"]), task("c", optional=["b"]))


def ids(array):
    return {item["name"]: item["id"] for item in array}


def redefine(tree, array, *, user=None, version=None):
    spec = spec_of_draft(array, own_ids(tree))
    return tree_redefine(user=user or tree.owner, tree_id=tree.pk, version=version or tree.version, spec=spec)


def stored(tree):
    found = {}
    for one in tree.tasks.order_by("position"):
        edges = one.dependencies.values_list("depends_on__name", "required")
        found[one.name] = (one.parent.name if one.parent else None, one.position, one.depth, list(edges))
    return found


def test_the_same_definition_changes_nothing(tree):
    before = stored(tree)
    array = draft_from_tree(tree)
    assert not tree_changes(tree, spec_of_draft(array, own_ids(tree))).any
    redefine(tree, array)
    assert stored(tree) == before
    tree.refresh_from_db()
    assert tree.version == 2


def test_what_stays_keeps_its_id_state_and_attempts(tree):
    run = start(tree)
    for name in "abc":
        end_task(run, task_named(tree, name), result={"x": 1})
    end_run(run, Status.COMPLETED)
    array = draft_from_tree(tree)
    known = ids(array)
    array = add(array, fresh_item("d", executor="noop"), near=known["c"])
    array = link(array, ids(array)["d"], {"id": known["a"], "as": "rows"})
    array = move(array, known["c"], known["a"], "inside")
    array = update(array, known["a"], {"priority": 0})
    array = remove(array, known["b"])
    changes = tree_changes(tree, spec_of_draft(array, own_ids(tree)))
    assert (len(changes.added), len(changes.changed), len(changes.removed), changes.attempts) == (1, 2, 1, 1)
    redefine(tree, array)
    assert stored(tree) == {
        "root": (None, 0, 0, []),
        "a": ("root", 1, 1, []),
        "c": ("a", 2, 2, []),
        "d": ("root", 3, 1, [("a", True)]),
    }
    a = task_named(tree, "a")
    assert (str(a.pk), a.status, a.attempt, a.priority) == (known["a"], Status.COMPLETED, 1, 0)
    assert Attempt.objects.count() == 2
    assert task_named(tree, "d").status == Status.PENDING
    tree.refresh_from_db()
    assert (tree.task_count, tree.version) == (4, 2)


def test_another_task_can_become_the_root(tree):
    array = draft_from_tree(tree)
    known = ids(array)
    fresh = fresh_item("new root")
    array = [fresh, *(item if item.get("parent_id") else item | {"parent_id": fresh["id"]} for item in array)]
    redefine(tree, array)
    tree.refresh_from_db()
    assert tree.name == "new root"
    swapped = [
        {k: v for k, v in item.items() if k != "parent_id"} if item["id"] == known["root"] else item
        for item in draft_from_tree(tree)
    ]
    swapped = [item | {"parent_id": known["root"]} if item["id"] == fresh["id"] else item for item in swapped]
    redefine(tree, swapped)
    assert stored(tree)["root"][0] is None
    assert stored(tree)["new root"][0] == "root"


def test_a_version_that_is_not_the_newest_is_refused(tree):
    with pytest.raises(Conflict) as caught:
        redefine(tree, draft_from_tree(tree), version=9)
    assert caught.value.code == "stale_version"
    assert stored(Tree.objects.get(pk=tree.pk)) == stored(tree)


def test_who_may_not_edit_is_refused(tree):
    array = draft_from_tree(tree)
    with pytest.raises(NotFound):
        redefine(tree, array, user=make_user("eve"))
    with pytest.raises(Forbidden):
        redefine(tree, array, user=make_user("boss", is_staff=True))


def test_an_active_run_and_an_archive_are_left_alone(tree):
    array = draft_from_tree(tree)
    run = start(tree)
    with pytest.raises(AlreadyRunning):
        redefine(tree, array)
    end_run(run, Status.FAILED)
    Tree.objects.filter(pk=tree.pk).update(archived_at=run.started_at)
    with pytest.raises(Conflict, match="archived"):
        redefine(tree, array)


def test_a_task_that_others_were_made_from_stays(tree):
    tree_copy(user=tree.owner, task_id=tree.tasks.get(parent=None).pk)
    array = draft_from_tree(tree)
    with pytest.raises(Conflict) as caught:
        redefine(tree, remove(array, ids(array)["c"]))
    assert caught.value.code == "has_references"


def test_an_id_of_another_tree_gets_a_new_one_or_is_refused(tree):
    other = make_tree(task("other"))
    foreign = str(other.tasks.get().pk)
    array = draft_from_tree(tree)
    array = add(array, fresh_item("x", executor="noop") | {"id": foreign})
    redefine(tree, array)
    assert str(task_named(tree, "x").pk) != foreign
    assert other.tasks.count() == 1
