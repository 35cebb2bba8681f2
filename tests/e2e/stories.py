"""What operators do with trees and runs, told once; `hands` plays each of them in several ways."""

from __future__ import annotations

import re

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

LONG_MS = 30_000
MAKE = """
from django.contrib.auth.models import User
from orchestration.builders.array import tree_from_array
admin = User.objects.get(username="admin")
def task(name, parent=None, after=(), **inputs):
    executor = "simulate" if inputs else ""
    return {"name": name, "parent_id": parent, "executor": executor, "inputs": inputs,
            "dependencies": [{"name": a} for a in after]}
tree_from_array(owner=admin, data=[
    task("Nightly import"), task("extract", "Nightly import", duration_s=0.1),
    task("load", "Nightly import", ["extract"], duration_s=0.1, fail="upstream did not answer"),
    task("publish", "Nightly import", ["load"], duration_s=0.1), task("lint", "Nightly import", duration_s=0.1)])
tree_from_array(owner=admin, data=[
    task("Long haul"), task("convoy", "Long haul"), task("truck one", "convoy", duration_s=900),
    task("truck two", "convoy", ["truck one"], duration_s=900), task("plane", "Long haul", duration_s=900)])
tree_from_array(owner=admin, data=[task("Two of them"), task("toss", "Two of them", duration_s=0.1, result=1)])
tree_from_array(owner=admin, labels=["sea"], data=[task("Haystack"), task("needle", "Haystack", duration_s=0)])
"""
MAKE_NIGHT = """
from django.contrib.auth.models import User
from orchestration.builders.array import tree_from_array
from orchestration.services.runs import run_start
user = User.objects.get(username="admin")
for number in range(50):
    slow = {"name": "wait", "executor": "simulate", "parent_id": "root", "inputs": {"duration_s": 900}}
    tree = tree_from_array(owner=user, data=[{"id": "root", "name": f"Night job {number}"}, slow], labels=["night"])
    run_start(user=user, tree_id=tree.pk)
"""


def ended(page, words):
    """The run has ended, and its story says so."""
    expect(page.locator("#story")).to_contain_text(words, timeout=LONG_MS)
    if page.evaluate("document.documentElement.classList.contains('js')"):
        expect(page.locator("#live")).to_contain_text("up to date", timeout=LONG_MS)


def saved_and_run(hand):
    """What was built is run, and completes."""
    hand.press(hand.page.get_by_role("button", name="Save and run"))
    hand.page.wait_for_url(re.compile(r"/runs/\d+"))
    ended(hand.page, "Completed")


def build_from_nothing(hand):
    page = hand.page
    page.goto("/trees/build")
    hand.write(page.get_by_label("Name of the tree"), "Weekly digest")
    hand.press(page.get_by_role("button", name="Start"))
    page.wait_for_url("**/trees/build/*")
    hand.write(page.get_by_label("Name of a new task"), "collect")
    hand.press(page.get_by_role("button", name="Add", exact=True))
    expect(page.locator("#b-side input[name=name]")).to_have_value("collect")
    hand.choose(page.get_by_label("Executor", exact=True), "No operation (noop)")
    hand.press(page.locator("#b-task").get_by_role("button", name="Apply"))
    expect(page.locator("#b-list")).to_contain_text("noop")
    hand.write(page.get_by_label("Name of a new task"), "send")
    hand.press(page.get_by_role("button", name="Add", exact=True))
    expect(page.locator("#b-side input[name=name]")).to_have_value("send")
    hand.choose(page.get_by_label("Executor", exact=True), "No operation (noop)")
    hand.press(page.locator("#b-task").get_by_role("button", name="Apply"))
    hand.write(page.get_by_label("Task that it waits for"), "collect")
    hand.press(page.get_by_role("button", name="Add dependency"))
    expect(page.locator("#b-list")).to_contain_text("after collect")
    expect(page.locator("#b-checks")).to_contain_text("all clear")
    saved_and_run(hand)


def build_from_a_pattern(hand):
    page = hand.page
    page.goto("/trees/build")
    hand.press(page.get_by_role("button", name="Use Sequential pipeline"))
    page.wait_for_url("**/trees/build/*")
    hand.press(page.get_by_role("link", name="Dry run", exact=True))
    expect(page.locator("#b-side")).to_contain_text("Critical path")
    saved_and_run(hand)


def run_and_watch(hand):
    page = hand.page
    hand.run_tree("Server health report")
    ended(page, "Completed")
    expect(page.locator("#rows tr[data-state=completed]").first).to_be_visible()
    expect(page.locator("#rows tr:not([data-state=completed])")).to_have_count(0)


def mend_a_failure(hand):
    """Understand a failure and run again only what failed, with another input."""
    page = hand.page
    hand.run_tree("Nightly import")
    ended(page, "Failed")
    first = page.url
    wrong = page.get_by_role("region", name="What went wrong")
    expect(wrong).to_contain_text("upstream did not answer")
    expect(wrong).to_contain_text("1 task did not run because of this: publish")
    hand.press(page.get_by_role("link", name="Re-run with edits…"))
    expect(page.get_by_role("button", name="Re-run 2 tasks, reuse 3")).to_be_visible()
    hand.press(page.locator("summary", has_text="change load"))
    hand.write(page.get_by_label("Inputs, as JSON").first, '{"duration_s": 0.1, "fail": ')
    hand.press(page.get_by_role("button", name="Re-run 2 tasks"))
    expect(page.get_by_role("alert").first).to_be_visible()
    hand.write(page.get_by_label("Inputs, as JSON").first, '{"duration_s": 0.1, "fail": ""}')
    hand.press(page.get_by_role("button", name="Re-run 2 tasks, reuse 3"))
    page.wait_for_url(re.compile(r"/runs/\d+$"))
    assert page.url != first
    ended(page, "Completed")
    hand.press(page.get_by_role("link", name="Events", exact=True))
    expect(page.locator("#feed")).to_contain_text("part of the tree (failed), 2 tasks")
    hand.press(page.get_by_role("link", name="Inputs & results", exact=True))
    expect(page.locator("table.data")).to_contain_text("override of this run")
    hand.press(page.get_by_role("link", name="Compare", exact=True))
    expect(page.locator("#summary")).to_contain_text("“load” ended completed instead of failed")


def cancel_a_subtree(hand):
    page = hand.page
    hand.run_tree("Long haul")
    run = page.url
    expect(page.locator("#rows tr[data-state=running]").first).to_be_visible()
    hand.open_row("convoy")
    hand.press(page.get_by_role("link", name="Cancel what is under it…"))
    expect(page.locator(".blast")).to_contain_text("truck one")
    hand.write(page.get_by_label("Reason"), "road closed")
    hand.press(page.get_by_role("button", name=re.compile("^Cancel 1 running, 1 waiting")))
    page.wait_for_url(re.compile(r"/tasks/[0-9a-f-]+/?$"))
    page.goto(run)
    expect(page.locator("#rows tr", has_text="truck two")).to_contain_text("road closed")
    expect(page.locator("#rows tr", has_text="plane")).to_have_attribute("data-state", "running")
    page.goto(f"{run}/cancel")
    hand.press(page.get_by_role("button", name=re.compile("^Cancel 1 running")))
    page.wait_for_url(re.compile(r"/runs/\d+$"))
    expect(page.locator("#story")).to_contain_text("ancelled", timeout=LONG_MS)


def compare_two_runs(hand):
    page = hand.page
    for _ in range(2):
        hand.run_tree("Two of them")
        ended(page, "Completed")
    hand.press(page.get_by_role("link", name="Compare", exact=True))
    expect(page.get_by_role("heading", name="What changed from #1 to #2")).to_be_visible()
    expect(page.locator("#summary")).not_to_be_empty()
    hand.press(page.get_by_role("link", name="Swap"))
    expect(page.get_by_role("heading", name="What changed from #2 to #1")).to_be_visible()


def copy_link_and_archive(hand):
    page = hand.page
    hand.run_tree("Two of them")
    ended(page, "Completed")
    hand.press(page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Two of them"))
    page.wait_for_url(re.compile(r"/trees/\d+$"))
    origin = page.url
    for kind, words in (
        ("Copy", "nothing of it has run yet"),
        ("Link", "show the results of the original"),
        ("Archive", "nobody can change it"),
    ):
        page.goto(origin)
        hand.press(page.locator("summary", has_text="Copy, link, archive"))
        hand.press(page.get_by_role("link", name=re.compile(f"^{kind}…")))
        hand.press(page.get_by_role("button", name=re.compile(rf"^{kind} \d+ tasks")))
        expect(page.locator("#notice")).to_contain_text(words)
        expect(page.get_by_role("navigation", name="Lineage")).to_contain_text("original")
    page.goto(origin)
    lineage = page.get_by_role("navigation", name="Lineage")
    for word in ("copy", "links", "archive"):
        expect(lineage).to_contain_text(word)


def find_a_tree(hand):
    """By name, then by label, then kept as a filter of one's own."""
    page = hand.page
    page.goto("/trees/?all=1")
    hand.write(page.get_by_label("Search trees by name"), "hayst")
    hand.press(page.get_by_role("button", name="Search", exact=True))
    page.wait_for_url(re.compile("q=hayst"))
    expect(page.locator("[data-row]")).to_have_count(1)
    hand.press(page.locator("[data-row]").get_by_role("link", name="sea"))
    page.wait_for_url(re.compile("label=sea"))
    expect(page.locator("[data-row]")).to_have_count(1)
    hand.press(page.locator("summary", has_text="Saved filters"))
    hand.write(page.get_by_label("Keep the filter shown now as"), "At sea")
    hand.press(page.get_by_role("button", name="Keep filter"))
    expect(page.locator("#notice")).to_contain_text("The filter “At sea” is kept.")
    page.goto("/trees/?all=1")
    hand.press(page.locator("summary", has_text="Saved filters"))
    hand.press(page.get_by_role("link", name="At sea"))
    page.wait_for_url(re.compile("label=sea"))
    hand.press(page.locator("[data-row]").get_by_role("link", name="Haystack", exact=True))
    page.wait_for_url(re.compile(r"/trees/\d+$"))


def cancel_fifty(hand):
    page = hand.page
    page.goto("/runs/?state=in_progress&q=Night")
    expect(page.locator("[data-row]")).to_have_count(50)
    hand.select_all_that_match()
    hand.press(page.locator("#bulk").get_by_role("button", name="Cancel…"))
    expect(page.get_by_role("heading", name="Cancel 50 runs?")).to_be_visible()
    hand.write(page.get_by_label("Reason"), "the night is over")
    hand.press(page.get_by_role("button", name="Cancel 50 runs"))
    expect(page.locator("#operation")).to_contain_text("50 done", timeout=2 * LONG_MS)
    page.goto("/operations/")
    expect(page.locator("#main")).to_contain_text("50")
    page.goto("/runs/?state=in_progress&q=Night")
    expect(page.get_by_text("No run matches")).to_be_visible(timeout=LONG_MS)


STORIES = (
    build_from_nothing, build_from_a_pattern, run_and_watch, mend_a_failure, cancel_a_subtree, compare_two_runs,
    copy_link_and_archive, find_a_tree, cancel_fifty,
)  # fmt: skip


def play(story, hand_kind, window, server, **options):
    """*story* by a hand of *hand_kind*, in a window of its own."""
    if story is cancel_fifty:
        server.run_python(MAKE_NIGHT)
    window.forgive("status of 400")  # a form that is refused says so with its status
    page = window(**hand_kind.options, **options)
    story(hand_kind(page))
