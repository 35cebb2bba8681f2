"""An operator's first day: run a sample, watch it live, alone and together, and through a crash of the server."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
LONG_MS = 90_000

MAKE = """
from django.contrib.auth.models import Group, User
from orchestration.builders.array import tree_from_array
from orchestration.models import Tree, TreeShare
for name in ("bob", "eve"):
    user, made = User.objects.get_or_create(username=name)
    user.groups.add(Group.objects.get(name="operator"))
bob = User.objects.get(username="bob")
TreeShare.objects.update_or_create(tree=Tree.objects.get(name="Server health report"), user=bob)
array = [{"id": "root", "name": "Long shelf"}]
for number in range(40):  # says something all the time, and does not end by itself
    array.append({"name": f"book {number}", "parent_id": "root", "executor": "simulate",
                  "inputs": {"duration_s": 600, "steps": 600}})
shelf = tree_from_array(owner=User.objects.get(username="admin"), data=array)
TreeShare.objects.update_or_create(tree=shelf, user=bob, defaults={"right": TreeShare.RUN})
"""


@pytest.fixture(scope="module", autouse=True)
def _people(server):
    server.run_python(MAKE)


def start(page, name):
    """Press Run in the list of trees; the address of the run page."""
    page.goto("/trees/")
    page.get_by_role("button", name=f"Run {name}").click()
    page.wait_for_url(re.compile(r"/runs/\d+"))
    return page.url


def ended(page, words, timeout=30_000):
    expect(page.locator("#story")).to_contain_text(words, timeout=timeout)
    expect(page.locator("#live")).to_contain_text("up to date", timeout=timeout)


def test_the_health_report_runs_live_to_its_result(window):
    page = window()
    start(page, "Server health report")
    ended(page, "Completed")
    rows = page.locator("#rows tr[aria-level]")
    expect(rows).not_to_have_count(0)
    expect(page.locator("#rows tr:not([data-state=completed])")).to_have_count(0)
    page.locator("#rows").get_by_role(
        "link", name=re.compile("report|summary|Aggregate|Merge", re.IGNORECASE)
    ).last.click()
    expect(page.locator("#result")).not_to_be_empty()


def test_a_second_viewer_sees_the_same_and_a_stranger_nothing(window):
    ann, bob, eve = window(), window("bob"), window("eve")
    url = start(ann, "Server health report")
    bob.goto(url)
    for page in (ann, bob):
        ended(page, "Completed")
    assert bob.locator("#story").inner_text() == ann.locator("#story").inner_text()
    expect(bob.get_by_role("button", name=re.compile("Re-run"))).to_have_count(0)
    assert eve.goto(url).status == 404
    window.forgive("status of 404")


def test_what_one_of_two_does_the_other_sees(window):
    ann, bob = window(), window("bob")
    bob.goto(start(ann, "Long shelf"))
    for page in (ann, bob):
        expect(page.locator("#live")).to_have_attribute("data-live", "live")
    bob.get_by_role("button", name=re.compile("^Cancel")).first.click()
    bob.get_by_label("Reason").fill("the shelf burns")
    bob.get_by_role("dialog").get_by_role("button", name=re.compile("^Cancel")).click()
    for page in (ann, bob):
        ended(page, "the shelf burns")
        expect(page.locator("#story")).to_contain_text("bob")
    assert bob.locator("#story").inner_text() == ann.locator("#story").inner_text()
    expect(bob.get_by_role("button", name=re.compile("Re-run .* not done"))).to_be_visible()


def test_the_tree_is_worked_by_keys(window):
    page = window()
    start(page, "Load daily orders")
    ended(page, "Completed")
    first = page.locator("#rows tr[aria-level]").first
    first.focus()
    page.keyboard.press("ArrowLeft")
    expect(first).to_have_attribute("aria-expanded", "false")
    expect(page.locator("#rows tr[aria-level]:visible")).to_have_count(1)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#rows tr[aria-level]").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/tasks/"))


def test_a_run_is_cancelled_with_a_reason(window):
    page = window()
    start(page, "Long shelf")
    page.get_by_role("button", name=re.compile("^Cancel")).first.click()
    reason = page.get_by_label("Reason")
    reason.fill("wrong shelf")
    expect(page.locator("#live")).to_contain_text(re.compile("#[0-9]{3}"))  # news have come meanwhile
    expect(reason).to_be_focused()
    expect(reason).to_have_value("wrong shelf")
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Cancel")).click()
    ended(page, "wrong shelf")
    expect(page.get_by_role("button", name=re.compile("Re-run .* not done"))).to_be_visible()


@pytest.mark.fault
def test_the_page_survives_a_crash_of_the_server(window, server):
    page = window()
    start(page, "Index the archive")
    expect(page.locator("#rows tr[data-state=completed]").first).to_be_visible()
    server.kill(server.process)
    expect(page.locator("#live")).to_contain_text("offline")
    server.up()
    ended(page, "Completed", timeout=LONG_MS)
    expect(page.locator("#rows tr:not([data-state=completed])")).to_have_count(0)
    window.forgive("ERR_CONNECTION", "htmx:ws:error", "htmx:error", "WebSocket connection")
