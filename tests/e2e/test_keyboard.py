"""The main story without a mouse."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect


def test_a_tree_is_found_run_watched_and_cancelled_by_keys(window):
    page = window()
    press = page.keyboard.press
    press("g")
    press("t")
    page.wait_for_url(re.compile("/trees/"))
    press("/")
    expect(page.get_by_label("Search trees by name")).to_be_focused()
    page.keyboard.type("archive")
    press("Enter")
    expect(page.locator("[data-row]")).to_have_count(1)
    press("j")
    expect(page.locator("[data-row] a.name")).to_be_focused()
    press("x")
    expect(page.locator("#bulk-count")).to_have_text("1 selected")
    page.locator("#bulk").get_by_role("button", name="Run…").focus()
    press("Enter")
    page.get_by_role("button", name="Run 1 tree").focus()
    press("Enter")
    page.wait_for_url(re.compile(r"/operations/\d+"))
    expect(page.locator("#operation")).to_contain_text("1 done")
    press("g")
    press("r")
    page.wait_for_url(re.compile("/runs/"))
    press("j")
    press("Enter")
    page.wait_for_url(re.compile(r"/runs/\d+"))
    expect(page.locator("#rows [data-state=completed]").first).to_be_visible()
    press("j")
    expect(page.locator("#rows tr[aria-level]").first).to_be_focused()
    press("h")
    expect(page.locator("#rows tr[aria-level]:visible")).to_have_count(1)
    press("l")
    press("j")
    expect(page.locator("#rows tr[aria-level]").nth(1)).to_be_focused()


def test_the_palette_goes_anywhere(window):
    page = window()
    page.keyboard.press("Control+k")
    page.keyboard.type("health")
    expect(page.get_by_role("option", name=re.compile("Server health report")).first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.locator('[role="option"][aria-selected="true"]')).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/trees/\d+"))
    page.keyboard.press("Control+k")
    page.keyboard.type("something")
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()


def test_help_lists_only_the_keys_of_the_page(window):
    page = window()
    page.goto("/trees/?all=1")
    page.keyboard.press("?")
    listed = page.locator("#keys-list")
    expect(listed).to_contain_text("To the filter")
    expect(listed).not_to_contain_text("failure")
    page.keyboard.press("Escape")
    page.goto("/me")
    page.keyboard.press("?")
    expect(listed).not_to_contain_text("To the filter")


def test_letters_in_a_field_stay_letters(window):
    page = window()
    page.goto("/trees/?all=1")
    page.get_by_label("Search trees by name").fill("")
    page.keyboard.type("gtx?ja")
    expect(page.get_by_label("Search trees by name")).to_have_value("gtx?ja")
    expect(page.locator("#keys")).to_be_hidden()
