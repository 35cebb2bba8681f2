"""What the browser tells somebody who does not look. Only a whole browser has notifications, not the light one."""

from __future__ import annotations

import re

import pytest

from tests.e2e.conftest import WHOLE, launched
from tests.e2e.onerun import badge, icon

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

COUNT_NOTES = """(() => {
  const Real = window.Notification;
  window.notes = [];
  window.Notification = class extends Real {
    constructor(title, options) { super(title, options); window.notes.push([title, options.body]); }
  };
})()"""
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture(scope="module")
def browser():
    with launched(WHOLE) as chromium:
        yield chromium


def test_a_run_that_ends_in_a_hidden_tab_is_told_by_the_browser(window, run, end):
    page = window(permissions=["notifications"])
    page.add_init_script(COUNT_NOTES)
    page.goto(run("Behind"))
    expect(badge(page)).to_have_attribute("data-live", "live")
    page.evaluate(HIDE, True)
    end(page)
    icon(page, "cancelled")  # the tab is what one sees of it
    expect(page).to_have_title(re.compile("^Cancelled: Behind"))
    assert [title for title, _ in page.evaluate("window.notes")] == [page.title()]
    assert "enough" in page.evaluate("window.notes")[0][1]
    page.evaluate(HIDE, False)
    expect(badge(page)).to_contain_text("ended, up to date")
    assert len(page.evaluate("window.notes")) == 1


def test_a_tab_that_is_seen_gets_no_notification(window, run, end):
    page = window(permissions=["notifications"])
    page.add_init_script(COUNT_NOTES)
    page.goto(run("In front"))
    expect(badge(page)).to_have_attribute("data-live", "live")
    end(page)
    expect(badge(page)).to_contain_text("ended, up to date")
    assert page.evaluate("window.notes") == []


def test_the_profile_asks_for_notifications(window):
    page = window(permissions=["notifications"])
    page.goto("/me")
    expect(page.locator("#notify")).to_be_disabled()
    expect(page.locator("#notify-state")).to_contain_text("Allowed")
    asked = window()
    asked.goto("/me")
    state = asked.evaluate("Notification.permission")
    expect(asked.locator("#notify")).to_be_enabled(enabled=state == "default")
    expect(asked.locator("#notify-state")).to_contain_text({"default": "", "denied": "Blocked by the browser"}[state])
