"""The pages on which keys are tried, and what is on them."""

from __future__ import annotations

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

MAKE = """
import json, time
from django.contrib.auth.models import User
from orchestration.builders.array import tree_from_array
from orchestration.builders.draft import draft_from_text
from orchestration.models import Run, Task
from orchestration.services.drafts import draft_edit, draft_start
from orchestration.services.runs import run_start
user = User.objects.get(username="admin")
def task(name, parent=None, after=(), **inputs):
    return {"name": name, "parent_id": parent, "executor": "simulate" if inputs else "", "inputs": inputs,
            "dependencies": [{"name": a} for a in after]}
def run(tree):
    return run_start(user=user, tree_id=tree.pk)
broken = tree_from_array(owner=user, data=[
    task("Broken"), task("one", "Broken", duration_s=0, fail="no"), task("two", "Broken", duration_s=0, fail="no"),
    task("three", "Broken", ["two"], duration_s=0)])
first = run(broken)
while Run.objects.get(pk=first.pk).completed_at is None:
    time.sleep(0.1)
second = run(broken)
slow = tree_from_array(owner=user, data=[
    task("Slow"), task("group", "Slow"), task("works", "group", duration_s=900),
    task("waits", "group", ["works"], duration_s=1)])
parts = [task("Draft"), task("a", "Draft"), task("b", "Draft", ["a"])]
array = draft_from_text(json.dumps(parts))
draft = draft_start(user=user, array=array)
draft_edit(draft, draft_from_text(json.dumps([*parts, task("c", "Draft")]), array), "add c")
slow_run = run(slow)
many = [task("Many")] + [task(f"queued {n}", "Many", duration_s=900) for n in range(150)]
run(tree_from_array(owner=user, data=many))
while not Task.objects.filter(tree=broken, status="failed", run=second).count() >= 2:
    time.sleep(0.1)
print(json.dumps({
    "broken": second.pk, "first": first.pk, "slow": slow_run.pk, "tree": broken.pk, "draft": draft.pk,
    "waits": str(Task.objects.get(tree=slow, name="waits").pk)}))
"""

ONE_MORE = """
from django.contrib.auth.models import User
from orchestration.builders.array import tree_from_array
tree_from_array(owner=User.objects.get(username="admin"), data=[{"name": "Fresh", "executor": "noop"}])
"""


AWAY = """() => {
  const at = document.activeElement;
  return at.matches("input, select, textarea") || Boolean(document.querySelector("dialog[open]"));
}"""


class Scene:
    """A page on which keys are pressed."""

    ADDRESSES = {
        "list": "/trees/?all=1", "picked row": "/trees/?all=1", "news": "/trees/?all=1", "waiting row": "/runs/{slow}",
        "runs": "/runs/?all=1", "failed run": "/runs/{broken}", "active run": "/runs/{slow}",
        "graph": "/runs/{slow}/graph", "task": "/tasks/{waits}", "queue": "/queue/", "tree": "/trees/{tree}",
        "builder": "/trees/build/{draft}?view=task", "profile": "/me",
    }  # fmt: skip

    def __init__(self, page, ids, one_more):
        self.page, self.ids, self._one_more = page, ids, one_more

    def open(self, name):
        """The page anew, with a row of it focused where it has rows."""
        self.page.goto(self.ADDRESSES[name].format(**self.ids))
        if name in {"active run", "waiting row"}:
            expect(self.page.locator("#live")).to_have_attribute("data-live", "live")
        if name == "failed run":
            expect(self.page.locator("#live")).to_contain_text("up to date")
        if self.ADDRESSES[name].startswith(("/trees/?", "/runs/")) and name != "graph":
            self.press("j")
        if name == "picked row":
            self.press("x")
        if name == "waiting row":
            self.press("End")
        if name == "news":
            self._one_more()
            expect(self.page.locator("#news")).to_be_visible()
        if name == "builder":
            self.page.locator("#b-list a").nth(1).focus()
        if name == "graph":
            self.page.locator("a.box").first.focus()

    def left(self, name):
        """Whether the last key has led somewhere else: to another page, into a dialog or a field."""
        there = self.ADDRESSES[name].format(**self.ids).partition("?")[0]
        try:
            return self.page.evaluate(AWAY) or there not in self.page.url
        except sync_api.Error:  # on its way
            return True

    def back(self, name):
        """The page again, also when the last keys have led away meanwhile."""
        if self._closed(name):
            return
        for _ in range(20):
            try:
                return self.open(name)
            except sync_api.Error as error:
                if "interrupted" not in str(error):
                    raise
                self.page.wait_for_timeout(300)  # the other one has to arrive first
        raise AssertionError(f"{name}: the keys lead away again and again")

    def _closed(self, name):
        """Whether it was but a dialog, which Escape closes."""
        try:
            if not self.page.locator("dialog[open]").count():
                return False
            self.page.keyboard.press("Escape")
            return not self.left(name)
        except sync_api.Error:  # on its way to another page
            return False

    def press(self, *keys):
        """A key that leads to another page is heard there only when its scripts have come."""
        for key in keys:
            self.page.wait_for_load_state("load")
            self.page.keyboard.press(key)

    def listed(self):
        """The keys of the help, as one text for each line."""
        self.press("?")
        expect(self.page.get_by_role("dialog", name="Keys of this page")).to_be_visible()
        return {" ".join(text.split()) for text in self.page.locator("#keys-list dt").all_inner_texts()}

    @property
    def rows(self):
        return self.page.locator("#rows tr[aria-level]:visible")

    def focused(self, locator):
        expect(locator).to_be_focused()
