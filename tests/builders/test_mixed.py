from __future__ import annotations

from uuid import uuid4

import pytest

from orchestration.builders.copy import tree_copy
from orchestration.builders.mixed import preview_mixed, tree_mixed
from orchestration.domain.errors import Conflict, Forbidden, Invalid, NotFound
from orchestration.engine.headless import drive_until_ended
from orchestration.models import Attempt, Task
from orchestration.services.runs import run_preview, run_start
from orchestration.services.trees import tree_delete
from tests.builders.support import (
    count_rows,
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


def ids(tree, *names):
    return [task_named(tree, name).pk for name in names]


def mixed(tree, *links, name="r", **fields):
    return tree_mixed(user=tree.owner, task_id=task_named(tree, name).pk, link_ids=ids(tree, *links), **fields)


@pytest.fixture
def source():
    tree = make_source()
    run_tree(tree)
    return tree


def test_what_is_named_is_linked_and_all_else_copied(source):
    before = state_of(source)
    shown = preview_mixed(user=source.owner, task_id=root_of(source).pk, link_ids=ids(source, "c1"))
    tree = mixed(source, "c1")
    assert same_as_preview(shown, tree)
    assert outline(tree) == outline(source)
    assert statuses(tree) == dict.fromkeys(("r", "c2", "c3", "g", "c4"), "pending") | {"c1": "completed"}
    assert (tree.origin_type, tree.original) == ("copy", source)
    c1 = task_named(tree, "c1")
    assert (c1.origin_type, c1.linked_attempt.task) == ("link", task_named(source, "c1"))
    assert state_of(source) == before


def test_a_run_uses_the_linked_results(source):
    run_tree(source)
    tree = mixed(source, "c1", "c2")
    run = run_tree(tree)
    assert (run.status, run.total, run.completed) == ("completed", 4, 4)
    c3 = Attempt.objects.get(task=task_named(tree, "c3"))
    c1, c2 = (task_named(tree, name) for name in ("c1", "c2"))
    assert c3.inputs == {str(c1.pk): result_of(c1), str(c2.pk): result_of(c2)}
    assert result_of(c2)["attempt"] == 2
    assert not Attempt.objects.filter(task__in=[c1, c2]).exists()
    run_tree(tree)
    assert (statuses(tree)["c1"], task_named(tree, "c3").attempt) == ("completed", 2)
    assert not run_preview(user=tree.owner, tree_id=tree.pk, mode="all")[c1.pk.hex].runs


def test_a_linked_group_gives_no_input(source):
    tree = make_tree(task("r", executor=""), task("g", executor=""), task("a", after=["g"]))
    run_tree(tree)
    again = mixed(tree, "g")
    run_tree(again)
    assert Attempt.objects.get(task=task_named(again, "a")).inputs == {}


def test_a_link_whose_upstream_fails_is_not_touched(source):
    tree = mixed(source, "c3")
    run_tree(tree, fail=["c1"])
    assert statuses(tree) == {
        "r": "completed", "g": "completed", "c1": "failed", "c2": "pending", "c3": "completed", "c4": "completed",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "links", "options", "expected"),
    [
        ("g", ["c4"], {}, "g(c4)"),
        ("c3", ["c2"], {}, "c3 <- c2 c1?(c1, c2 <- c1)"),
        ("c2", ["c2"], {"recursive": False}, "c2"),
        ("c1", ["c1"], {"include_dependents": True}, "c1(c2 <- c1, c3 <- c2 c1?, c4 <- c3)"),
    ],
)
def test_what_a_mixed_part_takes(source, name, links, options, expected):
    given = {"user": source.owner, "task_id": task_named(source, name).pk, "link_ids": ids(source, *links), **options}
    tree = tree_mixed(**given)
    assert outline(tree) == expected
    assert same_as_preview(preview_mixed(**given), tree)


def test_links_must_be_completed_and_part_of_it():
    tree = make_source()
    run_tree(tree, fail=["c3"])
    rows = count_rows()
    with pytest.raises(Conflict, match=r"only completed tasks can be linked; unfinished: 'c3'$"):
        mixed(tree, "c1", "c3")
    user, root = tree.owner, root_of(tree).pk
    for links in ([], [uuid4()], ["x"], ids(make_source(), "c1")):
        with pytest.raises(Invalid, match="link_ids"):
            tree_mixed(user=user, task_id=root, link_ids=links)
    with pytest.raises(Invalid, match="in what is copied"):
        mixed(tree, "c3", name="c1")
    assert count_rows()[0] == rows[0]
    assert task_named(mixed(tree, "c1", "c2"), "c3").status == "pending"


def test_overrides_are_for_the_copies(source):
    c1, c2 = ids(source, "c1", "c2")
    tree = mixed(source, "c1", overrides={c2: {"priority": 0}, str(root_of(source).pk): {"name": "new"}})
    assert (task_named(tree, "c2").priority, tree.name) == (0, "new")
    with pytest.raises(Invalid, match="links and archives stay as they are"):
        mixed(source, "c1", overrides={c1: {"priority": 0}})


def test_another_users_tasks_cannot_be_linked(source):
    other = make_user("other")
    given = {"task_id": root_of(source).pk, "link_ids": ids(source, "c1")}
    with pytest.raises(NotFound):
        tree_mixed(user=other, **given)
    share(source, other)
    with pytest.raises(Forbidden, match="belongs to another user"):
        tree_mixed(user=other, **given)


def test_a_link_in_a_mixed_tree_is_linked_and_copied_like_any_other(source):
    tree = mixed(source, "c1")
    run_tree(tree)
    again = mixed(tree, "c1", "c2")
    assert (task_named(again, "c1").original, again.original) == (task_named(source, "c1"), tree)
    assert task_named(again, "c2").linked_attempt.task == task_named(tree, "c2")
    assert set(statuses(tree_copy(user=tree.owner, task_id=root_of(tree).pk)).values()) == {"pending"}
    for kept in (source, tree):
        with pytest.raises(Conflict, match="links to tasks of"):
            tree_delete(user=source.owner, tree_id=kept.pk)
    for gone in (again, tree, source):
        tree_delete(user=source.owner, tree_id=gone.pk)
    assert not Task.objects.filter(tree__in=[again.pk, tree.pk, source.pk]).exists()


def test_only_links_is_a_tree_of_links(source):
    tree = mixed(source, "r", "c1", "c2", "c3", "g", "c4")
    assert (tree.origin_type, set(statuses(tree).values())) == ("link", {"completed"})


@pytest.mark.django_db(transaction=True)
def test_the_engine_runs_a_mixed_tree():
    tree = make_tree(
        task("r", executor=""),
        task("a", executor="simulate", inputs={"duration_s": 0, "result": {"rows": 3}}),
        task("b", executor="aggregate_results", after=["a"]),
    )

    def start(which):
        return lambda: run_start(user=which.owner, tree_id=which.pk)

    assert drive_until_ended(start(tree))[1] == "completed"
    tree_again = mixed(tree, "a")
    assert drive_until_ended(start(tree_again))[1] == "completed"
    a, b = task_named(tree_again, "a"), task_named(tree_again, "b")
    assert result_of(b)["results"] == {str(a.pk): {"rows": 3}}
    assert not a.attempts.exists()
