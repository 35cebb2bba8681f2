"""Comfort without JavaScript: acting on several rows, searching, kept filters, the profile, trying an executor."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect


@pytest.fixture
def plain(window):
    return window(java_script_enabled=False)


def test_several_rows_are_acted_on_and_followed(plain):
    plain.goto("/trees/?q=report")
    plain.locator("[data-row] input").first.check()
    plain.get_by_role("button", name="Label…").click()
    plain.get_by_role("textbox", name="Label").fill("kept")
    plain.get_by_role("button", name="Label 1 tree").click()
    expect(plain.locator("#operation")).to_contain_text("1 done", timeout=30_000)
    plain.goto("/trees/?label=kept")
    expect(plain.locator("[data-row]")).to_have_count(1)


def test_search_profile_and_filters_work(plain):
    plain.goto("/palette?q=archive")
    plain.locator("#main").get_by_role("link", name=re.compile("^Index the archive")).first.click()
    plain.wait_for_url(re.compile(r"/trees/\d+"))
    plain.goto("/me")
    plain.get_by_label("Absolute times are shown in").select_option("Europe/Berlin")
    plain.get_by_role("button", name="Save").click()
    expect(plain.locator("html")).to_have_attribute("data-zone", "Europe/Berlin")
    plain.goto("/runs/?state=failed")
    plain.locator("details.saved summary").click()
    plain.get_by_label("Keep the filter shown now as").fill("Bad ones")
    plain.get_by_role("button", name="Keep filter").click()
    expect(plain.get_by_text("The filter “Bad ones” is kept.")).to_be_visible()


def test_an_executor_is_tried(plain):
    plain.goto("/executors/")
    plain.get_by_role("link", name="Try No operation").click()
    plain.get_by_role("button", name="Run it once").click()
    plain.wait_for_url(re.compile(r"/runs/\d+"))
