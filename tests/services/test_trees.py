from __future__ import annotations

import json
from uuid import uuid4

import pytest
from django.utils import timezone

from orchestration.builders.array import tree_from_array
from orchestration.domain.errors import AlreadyRunning, Conflict, Forbidden, Invalid, NotFound
from orchestration.domain.spec import DependencySpec, TaskSpec, TreeSpec
from orchestration.domain.states import Origin, Status
from orchestration.models import Attempt, Dependency, Event, Run, Task, Tree
from orchestration.services.trees import draft_tasks, task_update, tree_create, tree_delete, tree_label, tree_rename
from tests.factories import make_tree, make_user, task, task_named
from tests.settings import POSTGRES

pytestmark = pytest.mark.django_db


def start_run(tree, **fields):
    return Run.objects.create(tree=tree, number=1, started_at=timezone.now(), **fields)


def spec_of_all_fields():
    a, b = uuid4().hex, uuid4().hex
    edge = DependencySpec(a, required=False, map={"rows": "data.rows"})
    return TreeSpec(
        tasks=[
            TaskSpec(id=a, name="räksmörgås"),
            TaskSpec(
                id=b,
                name="b",
                parent_id=a,
                executor="noop",
                priority=0,
                inputs={"n": 9007199254740993, "s": "ä\"'"},
                params={"p": [1.5, None, True]},
                schemas={"method": "noop"},
                dependencies=[edge],
                timeout_s=1.5,
                max_attempts=3,
                backoff={"strategy": "fixed"},
            ),
        ],
        labels=["x"],
    )


def test_every_field_comes_back_as_it_was_given():
    spec = spec_of_all_fields()
    tree = tree_create(owner=make_user(), spec=spec, labels=["y", "x"])
    assert (tree.name, tree.labels, tree.task_count, tree.origin_type) == ("räksmörgås", ["x", "y"], 2, Origin.CREATE)
    root, b = Task.objects.filter(tree=tree).order_by("position")
    assert (root.pk.hex, root.depth, root.parent_id, root.status, root.progress) == (
        spec.tasks[0].id,
        0,
        None,
        "pending",
        0,
    )
    want = spec.tasks[1]
    for name in ("name", "executor", "priority", "inputs", "params", "schemas", "timeout_s", "max_attempts", "backoff"):
        assert getattr(b, name) == getattr(want, name), name
    assert (b.depth, b.position, b.parent_id, b.version) == (1, 1, root.pk, 1)
    edge = Dependency.objects.get(task=b)
    assert (edge.depends_on_id, edge.required, edge.map, edge.as_key) == (root.pk, False, {"rows": "data.rows"}, None)
    assert tree.created_at == b.created_at


def test_rows_equal_those_that_the_orm_would_store():
    tree = tree_create(owner=make_user(), spec=spec_of_all_fields())
    row = Task.objects.filter(tree=tree, name="b").values().get()
    model = Task(**row)
    model.pk = uuid4()
    model.save(force_insert=True)
    other = Task.objects.filter(pk=model.pk).values().get()
    assert {k: v for k, v in other.items() if k != "id"} == {k: v for k, v in row.items() if k != "id"}


def test_a_copy_remembers_where_it_came_from():
    spec = spec_of_all_fields()
    first = tree_create(owner=make_user(), spec=spec)
    again = spec_of_all_fields()
    originals = {new.id: old.id for new, old in zip(again.tasks, spec.tasks, strict=True)}
    copy = tree_create(owner=first.owner, spec=again, origin=Origin.COPY, original=first, originals=originals)
    assert task_named(copy, "b").original == task_named(first, "b")
    assert (copy.original, copy.origin_type, task_named(copy, "b").origin_type) == (first, "copy", "copy")


def test_storing_takes_as_many_queries_for_many_tasks_as_for_few(django_assert_max_num_queries):
    owner = make_user()
    ids = [uuid4().hex for _ in range(300)]
    tasks = [
        TaskSpec(id=x, name=str(i), parent_id=ids[0] if i else None, dependencies=[DependencySpec(ids[0])] if i else [])
        for i, x in enumerate(ids)
    ]
    # savepoint, how many the owner has, the tree, inserts per table, release; PostgreSQL locks the owner's row
    with django_assert_max_num_queries(8 if POSTGRES else 7):
        tree_create(owner=owner, spec=TreeSpec(tasks))


def test_drafts_are_those_with_something_to_do_and_nothing_to_do_it():
    tree = make_tree(task("r", executor=""), task("d", executor="", inputs={"x": 1}), task("w"))
    assert [t.name for t in draft_tasks(tree)] == ["d"]


def test_renaming_renames_tree_and_root():
    tree = make_tree(task("old"), task("b"))
    tree_rename(user=tree.owner, tree_id=tree.pk, name="new")
    tree.refresh_from_db()
    assert (tree.name, Task.objects.get(tree=tree, parent=None).name, tree.version) == ("new", "new", 2)


def test_labels_are_replaced_and_checked():
    tree = make_tree()
    assert tree_label(user=tree.owner, tree_id=tree.pk, labels=["a", "a", "b"]).labels == ["a", "b"]
    with pytest.raises(Invalid, match=r"labels\[0\]"):
        tree_label(user=tree.owner, tree_id=tree.pk, labels=["a\0"])


def test_an_update_needs_the_version_that_was_read():
    tree = make_tree(task("a"))
    a = task_named(tree, "a")
    updated = task_update(user=tree.owner, task_id=a.pk, version=1, changes={"priority": 0, "inputs": {"x": 1}})
    assert (updated.priority, updated.inputs, updated.version) == (0, {"x": 1}, 2)
    with pytest.raises(Conflict, match="changed meanwhile") as caught:
        task_update(user=tree.owner, task_id=a.pk, version=1, changes={"priority": 3})
    assert caught.value.code == "stale_version"
    assert task_named(tree, "a").priority == 0


def test_all_problems_of_an_update_are_told_at_once_and_nothing_is_stored():
    tree = make_tree(task("a"))
    a = task_named(tree, "a")
    changes = {"priority": True, "timeout_s": 0, "status": "completed", "inptus": {}, "name": " "}
    with pytest.raises(Invalid) as caught:
        task_update(user=tree.owner, task_id=a.pk, version=1, changes=changes)
    assert {p.path for p in caught.value.problems} == set(changes)
    assert "did you mean 'inputs'?" in caught.value.message
    assert task_named(tree, "a").version == 1


@pytest.mark.parametrize(
    "act",
    [
        lambda t, u: tree_delete(user=u, tree_id=t.pk),
        lambda t, u: tree_rename(user=u, tree_id=t.pk, name="x"),
        lambda t, u: task_update(user=u, task_id=task_named(t, "a").pk, version=1, changes={"priority": 1}),
    ],
    ids=["delete", "rename", "update"],
)
class TestWhoAndWhen:
    def test_refused_while_a_run_is_active(self, act):
        tree = make_tree(task("a"))
        run = start_run(tree)
        with pytest.raises(AlreadyRunning, match="run #1") as caught:
            act(tree, tree.owner)
        assert caught.value.run_id == run.pk

    def test_refused_for_an_archive(self, act):
        tree = make_tree(task("a"))
        Tree.objects.filter(pk=tree.pk).update(archived_at=timezone.now())
        with pytest.raises(Conflict, match="copy it"):
            act(tree, tree.owner)

    def test_a_stranger_finds_nothing_and_a_viewer_may_not(self, act):
        tree = make_tree(task("a"))
        with pytest.raises(NotFound):
            act(tree, make_user("stranger"))
        viewer = make_user("vic", role="viewer")
        Tree.objects.filter(pk=tree.pk).update(owner=viewer)
        with pytest.raises(Forbidden):
            act(tree, viewer)


def finish(tree, name):
    now = timezone.now()
    run = start_run(tree, status=Status.COMPLETED, completed_at=now)
    done = task_named(tree, name)
    Event.objects.create(run=run, seq=1, kind="run_started", at=now)
    return Attempt.objects.create(task=done, run=run, number=1, started_at=now, completed_at=now, status="completed")


def test_deleting_leaves_nothing_behind_but_other_trees():
    tree = make_tree(task("a"), task("b", after=["a"]))
    finish(tree, "a")
    kept = make_tree(task("a"), task("b", after=["a"]))
    copied = task_named(kept, "a")
    Task.objects.filter(pk=copied.pk).update(original=task_named(tree, "a"))
    Tree.objects.filter(pk=kept.pk).update(original=tree)
    tree_delete(user=tree.owner, tree_id=tree.pk)
    assert list(Tree.objects.all()) == [kept]
    assert (Task.objects.count(), Dependency.objects.count()) == (2, 1)
    assert [model.objects.count() for model in (Run, Event, Attempt)] == [0, 0, 0]
    copied.refresh_from_db()
    kept.refresh_from_db()
    assert (copied.original_id, kept.original_id) == (None, None)


def test_a_tree_that_others_link_to_stays():
    tree = make_tree(task("a"))
    attempt = finish(tree, "a")
    other = make_tree(task("l"))
    Task.objects.filter(tree=other).update(linked_attempt=attempt)
    with pytest.raises(Conflict, match="'l' links to tasks of 'a'") as caught:
        tree_delete(user=tree.owner, tree_id=tree.pk)
    assert caught.value.code == "linked"
    with pytest.raises(Conflict, match="is a link"):
        task_update(user=tree.owner, task_id=task_named(other, "l").pk, version=1, changes={"priority": 1})
    tree_delete(user=tree.owner, tree_id=other.pk)
    tree_delete(user=tree.owner, tree_id=tree.pk)
    assert not Tree.objects.exists()


def test_stored_json_is_what_the_database_can_query():
    tree = make_tree(task("a", inputs={"k": {"deep": [1, 2]}}))
    assert Task.objects.filter(tree=tree, inputs__k__deep__1=2).exists()
    assert json.loads(json.dumps(task_named(tree, "a").inputs)) == {"k": {"deep": [1, 2]}}


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"type": "nonsense"}, "schemas.input_schema.type"),
        ({"$ref": "https://example.org/schema.json"}, "schemas.input_schema.$ref"),
        ({"properties": {"a": {"pattern": "("}}}, "schemas.input_schema.properties.a.pattern"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_when_it_is_written(schema, place):
    user = make_user()
    tree = make_tree(task("only"), owner=user)
    only = task_named(tree, "only")
    with pytest.raises(Invalid) as refused:
        task_update(user=user, task_id=only.pk, version=1, changes={"schemas": {"input_schema": schema}})
    assert refused.value.field.startswith(place)
    with pytest.raises(Invalid) as refused:
        tree_from_array(owner=user, data=[{"name": "x", "executor": "noop", "schemas": {"input_schema": schema}}])
    assert refused.value.field.startswith(f"[0].{place}")
