"""The builder by plain forms: what every browser can do, with or without JavaScript."""

from __future__ import annotations

import json
import re
import time

import pytest

from dashboard.starters import starters
from orchestration.builders.draft import fresh_item
from orchestration.models import DraftStep, Task, Tree, TreeDraft
from orchestration.services.drafts import MAX_STEPS, draft_array, draft_start
from tests.dashboard.conftest import signed_in
from tests.factories import make_tree, make_user, task, task_named

pytestmark = pytest.mark.django_db
HOSTILE = '"><script>alert(1)</script>'


class Builder:
    """A person at the builder, without JavaScript."""

    def __init__(self, user=None, **start):
        self.user = user or make_user()
        self.client = signed_in(self.user)
        answer = self.client.post("/trees/build", start)
        self.draft = int(re.search(r"/trees/build/(\d+)", answer["Location"])[1])

    @property
    def array(self):
        return draft_array(TreeDraft.objects.get(pk=self.draft))

    def id(self, name):
        return next(item["id"] for item in self.array if item["name"] == name)

    def item(self, name):
        return next(item for item in self.array if item["name"] == name)

    def names(self):
        return [item["name"] for item in self.array]

    def do(self, op, shown="", /, **fields):
        fields = {"op": op, "task": self.id(shown) if shown else "", "view": "task"} | fields
        return self.client.post(f"/trees/build/{self.draft}/edit", fields, follow=True)

    def page(self, name="", view="task"):
        query = {"task": self.id(name) if name else "", "view": view}
        return self.client.get(f"/trees/build/{self.draft}", query).content.decode()

    def save(self, **fields):
        return self.client.post(f"/trees/build/{self.draft}/save", fields)


@pytest.fixture
def builder():
    return Builder(name="Report")


def form_of(builder, name, **changes):
    item = builder.item(name)
    fields = {"name": item["name"], "executor": item["executor"], "priority": "2", "inputs_for": item["executor"]}
    return builder.do("task", name, **(fields | changes))


def test_a_tree_from_nothing_by_plain_forms(builder):
    builder.do("add", "Report", new_name="load")
    builder.do("add", "load", new_name="send")
    form_of(builder, "load", executor="simulate")
    page = builder.page("load")
    assert "Duration (seconds)" in page
    form_of(builder, "load", **{"in-duration_s": "0.1", "in-steps": "2", "priority": "1", "max_attempts": "3"})
    form_of(builder, "send", executor="noop")
    builder.do("link", "send", on="load")
    builder.do("edge", "send", on=builder.id("load"), required="0", flow="map", map="total = sum.value")
    answer = builder.save(how="save")
    tree = Tree.objects.get()
    assert answer["Location"] == tree.get_absolute_url()
    load = task_named(tree, "load")
    assert (load.executor, load.inputs, load.priority, load.max_attempts) == (
        "simulate",
        {"duration_s": 0.1, "steps": 2},
        1,
        3,
    )
    edge = task_named(tree, "send").dependencies.get()
    assert (edge.depends_on, edge.required, edge.map) == (load, False, {"total": "sum.value"})
    assert not TreeDraft.objects.exists()


def test_the_outline_is_moved_by_buttons(builder):
    for name in ("c", "b", "a"):
        builder.do("add", "Report", new_name=name)
    assert builder.names() == ["Report", "c", "b", "a"]
    builder.do("up", "a")
    assert builder.names() == ["Report", "c", "a", "b"]
    builder.do("indent", "b")
    assert builder.item("b")["parent_id"] == builder.id("a")
    builder.do("outdent", "b")
    builder.do("move", "b", target=builder.id("c"), where="before")
    assert builder.names() == ["Report", "b", "c", "a"]
    assert "the first of its level already" in builder.do("up", "b").content.decode()
    builder.do("add_inside", "b", new_name="inner")
    builder.do("delete", "b")
    assert builder.names() == ["Report", "c", "a"]
    assert "stays" in builder.do("delete", "Report").content.decode()
    assert "into itself" in builder.do("move", "Report", target=builder.id("a"), where="inside").content.decode()


def test_every_edit_can_be_undone_and_done_again(builder):
    builder.do("add", "Report", new_name="a")
    builder.do("add", "a", new_name="b")
    builder.do("link", "b", on="a")
    before = builder.array
    builder.do("delete", "a")
    builder.do("undo")
    assert builder.array == before
    builder.do("redo")
    assert builder.names() == ["Report", "b"]
    builder.do("undo")
    builder.do("add", "a", new_name="c")
    assert "disabled" in re.search(r'<button[^>]*value="redo"[^>]*>', builder.page())[0]
    for number in range(MAX_STEPS + 5):
        builder.do("add", "a", new_name=f"t{number}")
    assert DraftStep.objects.filter(draft=builder.draft).count() == MAX_STEPS


def test_the_draft_is_kept_and_offered_again(builder):
    builder.do("add", "Report", new_name="a")
    page = builder.client.get("/trees/build").content.decode()
    assert "You have an unsaved draft" in page
    assert f"/trees/build/{builder.draft}" in page
    builder.client.post(f"/trees/build/{builder.draft}/discard")
    assert "unsaved" not in builder.client.get("/trees/build").content.decode()


def test_a_cycle_is_shown_drawn_and_not_saved(builder):
    for name in ("b", "a"):
        builder.do("add", "Report", new_name=name)
        form_of(builder, name, executor="noop")
    builder.do("link", "b", on="a")
    builder.do("link", "a", on="b")
    page = builder.page("a", "graph")
    assert "dependencies form a cycle" in page
    assert page.count('class="b-arrow bad"') == 3  # two and the legend
    answer = builder.save(how="save")
    assert answer.status_code == 400
    assert "dependencies form a cycle: b waits for a waits for b; remove one" in answer.content.decode()
    assert not Tree.objects.exists()
    builder.do("unlink", "a", on=builder.id("b"))
    assert builder.save(how="save").status_code == 302


def test_wrong_fields_come_back_with_what_was_typed(builder):
    builder.do("add", "Report", new_name="a")
    form_of(builder, "a", executor="simulate")
    answer = form_of(builder, "a", **{"in-duration_s": "long", "in-message": "hello", "timeout_s": "-1"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "expected a number such as 1.5" in page
    assert 'value="long"' in page
    assert "at most" in page
    assert "inputs" not in builder.item("a")


def test_raw_json_and_the_form_are_one(builder):
    builder.do("add", "Report", new_name="a")
    form_of(builder, "a", executor="simulate")
    builder.do("inputs", "a", raw='{"duration_s": 3, "other": [1]}')
    assert 'value="3"' in builder.page("a")
    form_of(builder, "a", **{"in-duration_s": "4"})
    assert builder.item("a")["inputs"] == {"duration_s": 4, "other": [1]}
    answer = builder.do("inputs", "a", raw='{"a": 1, "a": 2}')
    assert "appears twice" in answer.content.decode()
    assert builder.item("a")["inputs"] == {"duration_s": 4, "other": [1]}


def test_json_edits_the_same_tasks(builder):
    builder.do("add", "Report", new_name="a")
    kept = builder.id("a")
    text = json.dumps([{"name": "Report"}, {"name": "a", "parent_id": "Report", "executor": "noop"},
                       {"name": "z", "parent_id": "Report", "executor": "noop", "dependencies": ["a"]}])  # fmt: skip
    builder.do("json", "Report", array=text, view="json")
    assert builder.names() == ["Report", "a", "z"]
    assert builder.id("a") == kept
    assert builder.item("z")["dependencies"] == [{"id": kept}]
    answer = builder.do("json", array='[{"name": "x", "dependancies": []}]', view="json")
    assert answer.status_code == 400
    assert "did you mean &#x27;dependencies&#x27;" in answer.content.decode()
    assert builder.names() == ["Report", "a", "z"]


def test_editing_a_stored_tree_says_what_saving_will_do():
    ann = make_user()
    tree = make_tree(task("Root", executor=""), task("a"), task("b", after=["a"]), owner=ann)
    kept = task_named(tree, "b").pk
    client = signed_in(ann)
    page = client.get(f"/trees/{tree.pk}/edit").content.decode()
    assert "no edit yet" in page
    draft = TreeDraft.objects.get()
    edit = f"/trees/build/{draft.pk}/edit"
    client.post(edit, {"op": "delete", "task": str(task_named(tree, "a").pk)})
    client.post(edit, {"op": "add", "task": str(kept), "new_name": "c"})
    page = client.get(f"/trees/{tree.pk}/edit").content.decode()
    assert re.search(r"add 1.*change 1.*remove 1", page, re.S)
    assert client.post(f"/trees/build/{draft.pk}/save", {"how": "save"}).status_code == 302
    tree.refresh_from_db()
    assert set(tree.tasks.values_list("name", flat=True)) == {"Root", "b", "c"}
    assert task_named(tree, "b").pk == kept
    assert tree.version == 2


def test_somebody_was_faster():
    ann = make_user()
    tree = make_tree(task("Root"), owner=ann)
    client = signed_in(ann)
    client.get(f"/trees/{tree.pk}/edit")
    draft = TreeDraft.objects.get()
    client.post(f"/trees/build/{draft.pk}/edit", {"op": "add", "new_name": "mine"})
    Tree.objects.filter(pk=tree.pk).update(version=5)
    answer = client.post(f"/trees/build/{draft.pk}/save", {"how": "save"})
    assert answer.status_code == 400
    assert "changed meanwhile" in answer.content.decode()
    assert client.post(f"/trees/build/{draft.pk}/save", {"how": "new"}).status_code == 302
    assert Tree.objects.count() == 2


def test_drafts_and_trees_of_others_are_not_there(clients, tree):
    draft = draft_start(user=make_user("ann"), array=[fresh_item("secret plan")])
    for who in ("bob", "carla", "eve"):
        client = clients[who]
        for verb in ("edit", "save", "discard"):
            assert client.post(f"/trees/build/{draft.pk}/{verb}", {"op": "add"}).status_code == 404
        assert client.get(f"/trees/build/{draft.pk}").status_code == 404
        assert "secret plan" not in client.get("/trees/build").content.decode()
        assert client.get(f"/trees/{tree.pk}/edit").status_code == (404 if who == "eve" else 403)
    assert clients["nobody"].get("/trees/build").status_code == 302
    assert signed_in(make_user("viewer", role="viewer")).get("/trees/build").status_code == 403


def test_hostile_names_are_text_in_every_view(builder):
    builder.do("add", "Report", new_name=HOSTILE)
    builder.do("add", "Report", new_name="x")
    form_of(builder, "x", executor="noop")
    builder.do("link", "x", on=HOSTILE)
    for view in ("task", "graph", "json", "dry"):
        assert "<script>alert" not in builder.page("x", view)
        assert "<script>alert" not in builder.page(HOSTILE, view)
    answer = builder.do("add", "Report", new_name="two\nlines")
    assert "line breaks are not allowed" in answer.content.decode()


@pytest.mark.parametrize("key", [one.key for one in starters()])
def test_every_starter_becomes_a_draft_that_can_be_saved(key):
    builder = Builder(starter=key)
    assert "dependencies form a cycle" not in builder.page()
    for view in ("graph", "json", "dry"):
        assert builder.page(view=view)
    assert builder.save(how="save").status_code == 302
    assert Task.objects.count() == len(json.loads(signed_in(builder.user).get(
        f"/trees/{Tree.objects.get().pk}/export.json").content))  # fmt: skip


def edit_s(count):
    """Processor time of one edit of a tree of *count* tasks, in seconds: the least of three."""
    builder = Builder(name="Big")
    items = [fresh_item("Big")]
    for number in range(count - 1):
        edges = {"dependencies": [{"id": items[-1]["id"]}]} if number % 5 else {}
        items.append(fresh_item(f"task {number}", parent_id=items[0]["id"], **edges) | {"executor": "noop"})
    builder.do("json", array=json.dumps([dict(item) for item in items]))
    assert len(builder.array) == count
    took = []
    for op in ("up", "down", "up"):
        fields = {"op": op, "task": builder.id(f"task {count // 2}"), "view": "task"}
        start = time.process_time()
        answer = builder.client.post(f"/trees/build/{builder.draft}/edit", fields, headers={"HX-Request": "true"})
        took.append(time.process_time() - start)
        assert answer.status_code == 200
    return min(took)


def test_an_edit_costs_no_more_than_in_proportion_to_the_tasks():
    small = edit_s(50)
    assert edit_s(500) < 15 * small
