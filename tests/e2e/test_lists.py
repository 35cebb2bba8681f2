"""Finding trees, acting on many, and lists that hold still."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

MANY = """
from django.contrib.auth.models import User
from orchestration.builders.array import tree_from_array
from orchestration.services.runs import run_start
user = User.objects.get(username="admin")
for number in range(50):
    slow = {"name": "wait", "executor": "simulate", "parent_id": "root", "inputs": {"duration_s": 600}}
    data = [{"id": "root", "name": f"Night job {number}"}, slow]
    tree = tree_from_array(owner=user, data=data, labels=["night"])
    run_start(user=user, tree_id=tree.pk)
"""
ONE_MORE = """
from django.contrib.auth.models import User
from orchestration.builders.array import tree_from_array
tree_from_array(owner=User.objects.get(username="admin"), data=[{"name": "Fresh", "executor": "noop"}])
"""


def test_a_tree_is_found_by_a_filter_that_is_kept(window):
    page = window()
    page.goto("/trees/")
    page.get_by_label("Search trees by name").fill("archive")
    page.keyboard.press("Enter")
    expect(page.locator("[data-row]")).to_have_count(1)
    page.locator("details.saved summary").click()
    page.get_by_label("Keep the filter shown now as").fill("Archives")
    page.get_by_label("open the list with it").check()
    page.get_by_role("button", name="Keep filter").click()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Trees").click()
    page.wait_for_url(re.compile("q=archive"))
    expect(page.locator("[data-row]")).to_have_count(1)
    page.locator("details.saved summary").click()
    page.get_by_role("button", name="Forget the filter Archives").click()
    expect(page.locator("[data-row]")).not_to_have_count(1)


def test_fifty_runs_are_cancelled_at_once(window, server):
    server.run_python(MANY)
    page = window()
    page.goto("/runs/?state=in_progress&q=Night")
    expect(page.locator("[data-row]")).to_have_count(50)
    boxes = page.locator("[data-row] input")
    boxes.nth(2).click()
    boxes.nth(5).click(modifiers=["Shift"])
    expect(page.locator("#bulk-count")).to_have_text("4 selected")
    page.get_by_label("all 50 runs that match").check()
    page.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("heading", name="Cancel 50 runs?")).to_be_visible()
    page.get_by_label("Reason").fill("the night is over")
    page.get_by_role("button", name="Cancel 50 runs").click()
    expect(page.locator("#operation")).to_contain_text("50 done", timeout=60_000)
    page.goto("/runs/?state=in_progress&q=Night")
    expect(page.get_by_text("No run matches")).to_be_visible(timeout=30_000)


def test_rows_that_come_wait_while_somebody_points_at_the_list(window, server):
    page = window()
    page.goto("/trees/?all=1")
    row = page.locator("[data-row]").nth(2)
    row.hover()
    before = row.bounding_box()
    server.run_python(ONE_MORE)
    chip = page.get_by_role("button", name="1 change, show")
    expect(chip).to_be_visible(timeout=15_000)
    assert row.bounding_box() == before
    expect(page.get_by_role("link", name="Fresh", exact=True)).to_have_count(0)
    chip.click()
    expect(page.get_by_role("link", name="Fresh", exact=True)).to_be_visible()
    expect(chip).to_have_count(0)


def test_rows_that_come_are_shown_at_once_when_nobody_points(window, server):
    page = window()
    page.goto("/trees/?q=Fresh")
    count = page.locator("[data-row]").count()
    page.mouse.move(5, 5)
    server.run_python(ONE_MORE)
    expect(page.locator("[data-row]")).to_have_count(count + 1, timeout=15_000)


def test_a_selection_survives_updates(window):
    page = window()
    page.goto("/trees/?all=1")
    page.locator("[data-row] input").nth(1).click()
    with page.expect_response(re.compile(r"/trees/\?all=1")):
        pass
    expect(page.locator("#bulk-count")).to_have_text("1 selected")
    expect(page.locator("[data-row] input").nth(1)).to_be_checked()


def test_an_executor_is_tried(window):
    page = window()
    page.goto("/executors/")
    page.get_by_role("link", name="Try No operation").click()
    page.get_by_role("button", name="Run it once").click()
    page.wait_for_url(re.compile(r"/runs/\d+"))
    expect(page.locator("#story")).to_contain_text("Completed", timeout=30_000)
    expect(page.locator("#favicon")).to_have_attribute("href", re.compile("favicon-completed"))
    expect(page).to_have_title(re.compile("^Completed: try noop"))


def test_times_follow_the_zone_of_the_profile(window):
    page = window()
    page.goto("/me")
    page.get_by_label("Absolute times are shown in").select_option("Asia/Tokyo")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The profile is saved.")).to_be_visible()
    page.goto("/runs/?all=1")
    expect(page.locator("time").first).to_have_attribute("title", re.compile("Asia/Tokyo$"))
