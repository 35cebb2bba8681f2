"""After something went wrong: understand it, run only that again, stop a part, compare, copy, link, archive."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

MAKE_TREES = """
from django.contrib.auth.models import User
from orchestration.builders.array import tree_from_array
from orchestration.models import Tree
def task(name, parent=None, after=(), **inputs):
    executor = "simulate" if inputs else ""
    return {"name": name, "parent_id": parent, "executor": executor, "inputs": inputs,
            "dependencies": [{"name": a} for a in after]}
if not Tree.objects.filter(name="Nightly import").exists():
    admin = User.objects.get(username="admin")
    tree_from_array(owner=admin, data=[
        task("Nightly import"), task("extract", "Nightly import", duration_s=0.1),
        task("load", "Nightly import", ["extract"], duration_s=0.1, fail="upstream did not answer"),
        task("publish", "Nightly import", ["load"], duration_s=0.1), task("lint", "Nightly import", duration_s=0.1)])
    tree_from_array(owner=admin, data=[
        task("Long haul"), task("convoy", "Long haul"), task("truck one", "convoy", duration_s=60),
        task("truck two", "convoy", ["truck one"], duration_s=60), task("plane", "Long haul", duration_s=60)])
"""


@pytest.fixture(autouse=True)
def _trees(server):
    server.run_python(MAKE_TREES)


def start(page, name):
    page.goto("/trees/")
    page.get_by_role("button", name=f"Run {name}").click()
    page.wait_for_url(re.compile(r"/runs/\d+$"))
    return page.url


def ended(page, words):
    expect(page.locator("#story")).to_contain_text(words, timeout=30_000)
    expect(page.locator("#live")).to_contain_text("up to date", timeout=30_000)


def tree_url(page, name):
    page.goto("/trees/?q=" + name.replace(" ", "+"))
    page.get_by_role("link", name=name, exact=True).first.click()
    page.wait_for_url(re.compile(r"/trees/\d+$"))
    return page.url


def test_a_failure_is_understood_and_only_it_runs_again_with_other_inputs(window):
    page = window()
    first = start(page, "Nightly import")
    ended(page, "Failed")
    wrong = page.get_by_role("region", name="What went wrong")
    expect(wrong).to_contain_text("upstream did not answer")
    expect(wrong).to_contain_text("1 task did not run because of this: publish")
    page.get_by_role("link", name="Re-run with edits…").click()
    expect(page.get_by_role("button", name="Re-run 2 tasks, reuse 3")).to_be_visible()
    page.locator("summary", has_text="change load").click()
    inputs = page.get_by_label("Inputs, as JSON").first
    inputs.fill('{"duration_s": 0.1, "fail": ')
    page.get_by_role("button", name="Re-run 2 tasks").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    window.complaints[:] = [c for c in window.complaints if "400" not in c]
    page.get_by_label("Inputs, as JSON").first.fill('{"duration_s": 0.1, "fail": ""}')
    page.get_by_role("button", name="Re-run 2 tasks, reuse 3").click()
    page.wait_for_url(re.compile(r"/runs/\d+$"))
    assert page.url != first
    ended(page, "Completed")
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(page.locator("#summary")).to_contain_text("“load” ended completed instead of failed")
    page.get_by_role("link", name="Events", exact=True).click()
    expect(page.locator("#feed")).to_contain_text("part of the tree (failed), 2 tasks")
    page.get_by_role("link", name="Inputs & results", exact=True).click()
    expect(page.locator("table.data")).to_contain_text("override of this run")


def test_a_task_opens_beside_its_run(window):
    page = window()
    start(page, "Nightly import")
    ended(page, "Failed")
    run = page.url
    page.locator("#rows").get_by_role("link", name="load").click()
    panel = page.get_by_role("complementary", name="Task")
    expect(panel).to_contain_text("upstream did not answer")
    assert page.url == run
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    page.set_viewport_size({"width": 390, "height": 800})
    page.locator("#rows").get_by_role("link", name="load").click()
    page.wait_for_url(re.compile("/tasks/"))


def test_a_subtree_is_cancelled_and_the_rest_goes_on(window):
    page = window()
    run = start(page, "Long haul")
    expect(page.locator("#rows tr[data-state=running]").first).to_be_visible()
    page.locator("#rows tr").filter(has_text="convoy").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/tasks/"))
    page.get_by_role("link", name="Cancel what is under it…").click()
    expect(page.locator(".blast")).to_contain_text("truck one")
    page.get_by_label("Reason").fill("road closed")
    page.get_by_role("button", name=re.compile("^Cancel 1 running, 1 waiting")).click()
    page.wait_for_url(re.compile(r"/tasks/[0-9a-f-]+/?$"))
    page.goto(run)
    expect(page.locator("#rows tr", has_text="truck two")).to_contain_text("road closed", timeout=20_000)
    expect(page.locator("#rows tr", has_text="plane")).to_have_attribute("data-state", "running")
    page.get_by_role("button", name=re.compile("^Cancel")).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("plane")
    dialog.get_by_role("button", name=re.compile("^Cancel")).click()
    ended(page, "Cancelled")


def test_a_tree_is_copied_linked_and_archived(window):
    page = window()
    start(page, "Server health report")
    ended(page, "Completed")
    origin = tree_url(page, "Server health report")
    for kind, button, words in (
        ("Copy…", "Copy 5 tasks", "nothing of it has run yet"),
        ("Link…", "Link 5 tasks", "show the results of the original"),
        ("Archive…", "Archive 5 tasks", "nobody can change it"),
    ):
        page.goto(origin)
        page.locator("summary", has_text="Copy, link, archive").click()
        page.get_by_role("link", name=re.compile(kind)).click()
        page.get_by_role("button", name=re.compile(f"^{button.split()[0]} \\d+ tasks")).click()
        expect(page.locator("#notice")).to_contain_text(words)
        expect(page.get_by_role("navigation", name="Lineage")).to_contain_text("original")
    page.goto(origin)
    lineage = page.get_by_role("navigation", name="Lineage")
    for word in ("copy", "links", "archive"):
        expect(lineage).to_contain_text(word)


def test_all_of_it_works_without_javascript(browser, server):
    context = browser.new_context(java_script_enabled=False, base_url=server.url)
    page = context.new_page()
    page.goto("/login/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(server.password)
    page.get_by_role("button", name="Sign in").click()
    tree_url(page, "Long haul")
    page.get_by_role("button", name=re.compile("^Run ")).click()
    page.get_by_role("link", name=re.compile("^Cancel")).click()
    page.get_by_label("Reason").fill("a test")
    page.get_by_role("button", name=re.compile("^Cancel")).click()
    expect(page.locator("#notice")).to_contain_text("being cancelled")
    tree_url(page, "Long haul")
    page.get_by_role("link", name="Graph").wait_for()
    page.goto(page.url + "/start?mode=all")
    page.get_by_text("What did not complete").click()
    page.get_by_role("button", name="Show plan").click()
    expect(page.locator(".plan")).to_contain_text("is cancelled")
    context.close()
