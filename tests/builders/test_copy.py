from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.builders.array import tree_from_array
from orchestration.builders.copy import preview_copy, tree_copy
from orchestration.builders.export import array_from_tree
from orchestration.domain.errors import Forbidden, Invalid, NotFound
from orchestration.domain.spec import DependencySpec, TaskSpec, TreeSpec
from orchestration.models import Dependency, Task, Tree
from orchestration.services.trees import tree_create, tree_delete
from tests.builders.support import (
    count_rows,
    make_source,
    outline,
    root_of,
    run_tree,
    same_as_preview,
    share,
    state_of,
    statuses,
)
from tests.builders.test_export import arrays
from tests.factories import make_tree, make_user, task, task_named

pytestmark = pytest.mark.django_db

WHOLE = "r(c1, c2 <- c1, c3 <- c2 c1?, g(c4 <- c3))"
DEFINITION = ("name", "executor", "priority", "inputs", "params", "schemas", "timeout_s", "max_attempts", "backoff")


def definitions(tree):
    return list(Task.objects.filter(tree=tree).order_by("position").values_list(*DEFINITION))


def copy_of(tree, name="r", **fields):
    return tree_copy(user=tree.owner, task_id=task_named(tree, name).pk, **fields)


@pytest.mark.parametrize("fail", [(), ("c2",)], ids=["completed", "failed"])
def test_a_copy_of_a_run_tree_starts_from_the_beginning(fail):
    tree = make_source(labels=("x", "y"))
    Tree.objects.filter(pk=tree.pk).update(max_parallel=3)
    run_tree(tree, fail=fail)
    before = state_of(tree)
    copy = copy_of(tree)
    assert outline(copy) == WHOLE
    assert definitions(copy) == definitions(tree)
    assert state_of(tree) == before
    fresh = ("status", "progress", "attempt", "error", "run_id", "started_at", "completed_at", "blocked_by_id")
    rows = set(Task.objects.filter(tree=copy).values_list(*fresh, "linked_attempt_id", "has_references", "version"))
    assert rows == {("pending", 0.0, 0, None, None, None, None, None, None, False, 1)}
    copy.refresh_from_db()
    assert (copy.name, copy.labels, copy.max_parallel, copy.owner) == ("r", ["x", "y"], 3, tree.owner)
    assert (copy.run_count, copy.archived_at, copy.version) == (0, None, 1)
    assert not Task.objects.filter(tree=copy, pk__in=Task.objects.filter(tree=tree).values("pk")).exists()


def test_lineage_is_kept_per_task():
    tree = make_source()
    copy = copy_of(tree)
    again = copy_of(copy)
    assert (copy.original, copy.origin_type, again.original) == (tree, "copy", copy)
    for new in Task.objects.filter(tree=again):
        assert (new.origin_type, new.original) == ("copy", task_named(copy, new.name))
    assert set(Task.objects.filter(tree=tree).values_list("has_references", flat=True)) == {True}
    tree_delete(user=tree.owner, tree_id=tree.pk)
    assert task_named(copy, "c1").original is None


def test_references_are_forgotten_with_the_last_copy():
    tree = make_source()
    first, second = copy_of(tree), copy_of(tree, "c1")
    tree_delete(user=tree.owner, tree_id=first.pk)
    assert [t.name for t in Task.objects.filter(tree=tree, has_references=True)] == ["c1"]
    tree_delete(user=tree.owner, tree_id=second.pk)
    assert not Task.objects.filter(has_references=True).exists()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrays(), st.integers(0, 6), st.booleans(), st.booleans())
def test_any_tree_and_any_part_of_it_can_be_copied(array, index, include_upstream, include_dependents):
    tree = tree_from_array(owner=make_user(), data=array)
    assert array_from_tree(copy_of_root(tree)) == array_from_tree(tree)
    chosen = Task.objects.filter(tree=tree).order_by("position")[index % tree.task_count]
    options = {"include_upstream": include_upstream, "include_dependents": include_dependents}
    shown = preview_copy(user=tree.owner, task_id=chosen.pk, **options)
    copy = tree_copy(user=tree.owner, task_id=chosen.pk, **options)
    assert same_as_preview(shown, copy)
    assert len({t.source_id for t in shown.tasks}) == copy.task_count
    edges = Dependency.objects.filter(task__tree=copy)
    wanted = Dependency.objects.filter(task__in=[t.source_id for t in shown.tasks])
    assert edges.count() == wanted.count() - shown.counts["dropped"]
    assert not edges.exclude(depends_on__tree=copy).exists()
    assert shown.counts["dropped"] == 0 or not include_upstream


def copy_of_root(tree):
    return tree_copy(user=tree.owner, task_id=root_of(tree).pk)


def test_a_copy_runs_on_its_own():
    tree = make_source()
    run_tree(tree)
    before = state_of(tree)
    copy = copy_of(tree)
    run_tree(copy, fail=["c1"])
    assert statuses(copy)["c1"] == "failed"
    assert state_of(tree) == before


def test_flags_of_dependencies_are_kept():
    array = [
        {"name": "r", "executor": ""},
        {"name": "a", "parent_id": "r", "executor": "noop"},
        {
            "name": "b",
            "parent_id": "r",
            "executor": "noop",
            "dependencies": [{"name": "a", "map": {"ä": "x.y"}}, {"name": "r", "required": False, "as": "k"}],
        },
    ]
    tree = make_tree(*array)
    copy = copy_of(tree)
    kept = ("position", "required", "map", "as_key", "depends_on__name")
    found = [list(Dependency.objects.filter(task__tree=t).values_list(*kept)) for t in (tree, copy)]
    assert found[0] == found[1]
    assert found[0] == [(0, True, {"ä": "x.y"}, None, "a"), (1, False, None, "k", "r")]


@pytest.mark.parametrize(
    ("name", "options", "expected", "dropped"),
    [
        ("c2", {}, "c2 <- c1(c1)", 0),
        ("c3", {}, "c3 <- c2 c1?(c1, c2 <- c1)", 0),
        ("c1", {"include_dependents": True}, "c1(c2 <- c1, c3 <- c2 c1?, c4 <- c3)", 0),
        ("c2", {"recursive": False}, "c2", 1),
        ("c2", {"include_upstream": False}, "c2", 1),
        ("g", {}, "g(c4 <- c3, c1, c2 <- c1, c3 <- c2 c1?)", 0),
        ("c2", {"include_upstream": False, "include_dependents": True}, "c2(c3 <- c2, c4 <- c3)", 2),
    ],
)
def test_what_a_copy_of_a_part_takes(name, options, expected, dropped):
    tree = make_source()
    task_id = task_named(tree, name).pk
    shown = preview_copy(user=tree.owner, task_id=task_id, **options)
    copy = tree_copy(user=tree.owner, task_id=task_id, **options)
    assert outline(copy) == expected
    assert same_as_preview(shown, copy)
    assert (shown.counts["dropped"], len(shown.warnings)) == (dropped, dropped)
    assert (copy.name, root_of(copy).parent_id, root_of(copy).depth) == (name, None, 0)
    untaken = Task.objects.filter(tree=tree).exclude(name__in=[t.name for t in shown.tasks])
    assert not untaken.filter(has_references=True).exists()


def test_outside_tasks_keep_their_parent_when_it_is_taken_too():
    tree = make_tree(
        task("r", executor=""),
        task("p", after=[]),
        task("q", parent="p"),
        task("s", parent="r"),
        task("t", parent="s", after=["q", "p", "r"]),
    )
    assert outline(copy_of(tree, "s")) == "s(t <- q p r, r(p(q)))"


def test_the_preview_says_why_and_stores_nothing():
    tree = make_source()
    before, rows = state_of(tree), count_rows()
    shown = preview_copy(user=tree.owner, task_id=task_named(tree, "c2").pk, include_dependents=True)
    assert [(t.name, t.role, t.why) for t in shown.tasks] == [
        ("c2", "copy", "chosen"),
        ("c1", "copy", "needed upstream"),
        ("c3", "copy", "waits for what is taken"),
        ("c4", "copy", "waits for what is taken"),
    ]
    assert shown.counts == {"copy": 4, "link": 0, "archived": 0, "tasks": 4, "dependencies": 4, "dropped": 0}
    dropping = preview_copy(user=tree.owner, task_id=task_named(tree, "c2").pk, include_upstream=False)
    assert dropping.warnings == ["'c2' will not wait for 'c1': it is not included"]
    assert (state_of(tree), count_rows()) == (before, rows)
    assert not Task.objects.filter(has_references=True).exists()


def test_overrides_change_the_copy_alone():
    tree = make_source()
    root, c1 = task_named(tree, "r"), task_named(tree, "c1")
    overrides = {
        str(root.pk): {"name": "new"},
        c1.pk.hex: {
            "inputs": {"y": "ä"},
            "params": None,
            "priority": 3,
            "timeout_s": None,
            "max_attempts": 7,
            "backoff": {"strategy": "linear"},
            "executor": "simulate_executor",
        },
    }
    shown = preview_copy(user=tree.owner, task_id=root.pk, overrides=overrides)
    before = state_of(tree)
    copy = copy_of(tree, overrides=overrides)
    assert same_as_preview(shown, copy)
    assert shown.tasks[0].changed == ("name",)
    assert (copy.name, root_of(copy).name) == ("new", "new")
    made = task_named(copy, "c1")
    assert [getattr(made, field) for field in DEFINITION] == [
        "c1", "simulate", 3, {"y": "ä"}, {}, {}, None, 7, {"strategy": "linear"},
    ]  # fmt: skip
    assert state_of(tree) == before
    assert task_named(copy, "c2").executor == "noop"


def test_all_problems_of_overrides_are_told_at_once():
    tree = make_source()
    c1 = task_named(tree, "c1").pk
    overrides = {
        c1: {"priority": 9, "name": "", "status": "completed", "executor": "nope", "max_attempts": 0},
        uuid4(): {"name": "x"},
        "what": {},
    }
    with pytest.raises(Invalid) as caught:
        copy_of(tree, overrides=overrides)
    fields = {p.path.removeprefix(f"overrides.{c1}.") for p in caught.value.problems}
    assert fields >= {"priority", "name", "status", "executor", "max_attempts", "overrides.what"}
    assert len(caught.value.problems) == 7
    for wrong in ({c1: 1}, [1]):
        with pytest.raises(Invalid, match="expected"):
            copy_of(tree, overrides=wrong)
    assert not Tree.objects.filter(origin_type="copy").exists()


def test_a_partial_change_counts_with_what_stays():
    tree = make_tree(task("r", params={"p": "x" * 200_000}))
    with pytest.raises(Invalid, match="together are larger"):
        copy_of(tree, overrides={root_of(tree).pk: {"inputs": {"i": "x" * 100_000}}})


def test_who_may_copy():
    tree, other = make_source(), make_user("other")
    task_id = root_of(tree).pk
    for act in (tree_copy, preview_copy):
        with pytest.raises(NotFound):
            act(user=other, task_id=task_id)
    share(tree, other)
    copy = tree_copy(user=other, task_id=task_id)
    assert (copy.owner, outline(copy)) == (other, WHOLE)
    viewer = make_user("vic", role="viewer")
    share(tree, viewer)
    with pytest.raises(Forbidden, match="create trees"):
        tree_copy(user=viewer, task_id=task_id)
    with pytest.raises(NotFound):
        tree_copy(user=other, task_id="nonsense")


def wide(count):
    ids = [uuid4().hex for _ in range(count)]
    tasks = [
        TaskSpec(
            id=x,
            name=str(i),
            executor="noop",
            parent_id=ids[(i - 1) // 2] if i else None,
            dependencies=[DependencySpec(ids[j]) for j in range(max(0, i - 3), i)],
        )
        for i, x in enumerate(ids)
    ]
    return tree_create(owner=make_user(), spec=TreeSpec(tasks))


def queries(act):
    with CaptureQueriesContext(connection) as captured:
        act()
    return len(captured)


def test_copying_takes_as_many_queries_for_many_tasks_as_for_few():
    few, many = root_of(wide(30)), root_of(wide(90))  # both more than one statement holds
    user = make_user()
    user.has_perm("orchestration.add_tree")  # remembered from now on
    assert queries(lambda: tree_copy(user=user, task_id=few.pk)) == queries(
        lambda: tree_copy(user=user, task_id=many.pk)
    )
    assert queries(lambda: preview_copy(user=user, task_id=many.pk)) <= 5


def test_a_large_copy_is_complete():
    tree = wide(700)
    copy = tree_copy(user=tree.owner, task_id=root_of(tree).pk)
    found = [sorted(array_from_tree(t), key=lambda item: int(item["name"])) for t in (tree, copy)]
    assert found[0] == found[1]
    assert Task.objects.filter(tree=tree, has_references=True).count() == 700
