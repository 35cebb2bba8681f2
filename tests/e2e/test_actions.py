"""A task beside its run, and the plan and the cancel of a run as plain pages."""

from __future__ import annotations

import re

import pytest

from tests.e2e.hands import Mouse
from tests.e2e.stories import MAKE, ended

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect


@pytest.fixture(scope="module", autouse=True)
def _trees(server):
    server.run_python(MAKE)


def test_a_task_opens_beside_its_run(window):
    page = window()
    Mouse(page).run_tree("Nightly import")
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


def test_what_a_cancel_stops_is_counted_in_its_dialog(window):
    page = window()
    Mouse(page).run_tree("Long haul")
    expect(page.locator("#rows tr[data-state=running]").first).to_be_visible()
    page.get_by_role("button", name=re.compile("^Cancel")).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("plane")
    expect(dialog).to_contain_text("truck two")
    dialog.get_by_role("button", name=re.compile("^Cancel 2 running, 1 waiting")).click()
    ended(page, "Cancelled")


def test_what_did_not_complete_is_planned_without_javascript(window):
    page = window(java_script_enabled=False)
    Mouse(page).run_tree("Long haul")
    page.get_by_role("link", name=re.compile("^Cancel")).click()
    page.get_by_label("Reason").fill("a test")
    page.get_by_role("button", name=re.compile("^Cancel")).click()
    expect(page.locator("#notice")).to_contain_text("being cancelled")
    expect(page.locator("#story")).to_contain_text("Cancelled")  # the page reloads itself
    page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Long haul").click()
    page.wait_for_url(re.compile(r"/trees/\d+$"))
    page.goto(page.url + "/start?mode=all")
    page.get_by_text("What did not complete").click()
    page.get_by_role("button", name="Show plan").click()
    expect(page.locator(".plan")).to_contain_text("is cancelled")
