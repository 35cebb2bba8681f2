"""The page says how fresh it is, and the tab tells how the run is, also when nobody looks."""

from __future__ import annotations

import contextlib
import re
import signal
import time

import pytest

from tests.e2e.onerun import badge, icon
from tests.e2e.proxy import Proxy

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

FLICKER = """() => {
  const live = document.querySelector("#live");
  window.badges = [];
  new MutationObserver(() => window.badges.push(live.dataset.live)).observe(live, { attributes: true });
}"""

# and what it has put off until its script was read is done
IS_THERE = "new Promise((resolve) => setTimeout(() => resolve(Boolean(window.htmx))))"


@pytest.fixture
def proxy(server):
    proxy = Proxy(server.port)
    yield proxy
    with contextlib.suppress(OSError):  # a story may have closed it
        proxy.close()


def test_title_icon_and_badge_follow_the_run(window, run, end):
    page = window()
    page.goto(run("Follow"))
    expect(badge(page)).to_have_text(re.compile(r"^live · #\d+$"))
    expect(badge(page)).to_have_attribute("data-live", "live")
    expect(page).to_have_title(re.compile("^Running: Follow #1"))
    icon(page, "running")
    end(page)
    expect(badge(page)).to_have_text(re.compile(r"^ended, up to date · #\d+$"))
    expect(page).to_have_title(re.compile("^Cancelled: Follow #1"))
    icon(page, "cancelled")


TURNED = """() => Array.from(document.querySelectorAll("svg.glyph.s-running:not(.filters *), .box .shape"),
  (one) => one.style.transform || one.getAttribute("transform") || "")"""
OUTSIDE = """() => Array.from(document.querySelectorAll(".box")).some((box) => {
  const [shape, plate] = [".shape", ".plate"].map((part) => box.querySelector(part).getBoundingClientRect());
  return shape.top < plate.top || shape.bottom > plate.bottom || shape.left < plate.left || shape.right > plate.right;
})"""


def test_what_runs_turns_with_the_clocks_unless_less_motion_is_wanted(window, run, end):
    page, still = window(reduced_motion="no-preference"), window()
    address = run("Turns")
    for view in ("/graph", ""):
        page.goto(address + view)
        for _ in range(2):
            before = page.evaluate(TURNED)
            assert before
            page.wait_for_function(f"(before) => ({TURNED})().join() !== before", arg=",".join(before))
            assert not page.evaluate(OUTSIDE)
    still.goto(address)
    assert set(still.evaluate(TURNED)) == {""}
    end(page)
    page.wait_for_function("() => !document.querySelector('svg.glyph[style*=deg]:not([style*=\"(0deg\"])')")


def test_the_page_becomes_live_however_late_its_scripts_come(window, run):
    """htmx had looked at the page as soon as it was there, be its extension for sockets there or not."""
    page, held = window(), []
    page.route(re.compile(r"hx-ws\.min\."), lambda route: held.append(route))
    page.goto(run("Late"), wait_until="commit")
    deadline = time.monotonic() + 30
    while not (page.evaluate(IS_THERE) and held):
        assert time.monotonic() < deadline
    held[0].continue_()
    expect(badge(page)).to_have_attribute("data-live", "live")


def test_the_page_polls_while_sockets_are_refused_and_is_live_when_they_pass(window, run, proxy):
    window.forgive("WebSocket connection", "htmx:ws:error")
    page = window()
    page.goto(proxy.url + run("Refused"))
    expect(badge(page)).to_have_text(re.compile("^polling"))
    expect(page.locator("#rows tr", has_text="works")).to_have_attribute("data-state", "running")
    page.evaluate(FLICKER)
    refused, deadline = proxy.refused, time.monotonic() + 90  # browsers try ever more rarely
    while proxy.refused < refused + 2 and time.monotonic() < deadline:  # sockets are tried again, and refused
        page.wait_for_timeout(100)
    assert proxy.refused >= refused + 2
    assert set(page.evaluate("window.badges")) <= {"polling"}
    proxy.sockets = True
    expect(badge(page)).to_have_attribute("data-live", "live", timeout=90_000)


def test_the_end_of_a_polled_run_is_told_and_an_outage_is_not_called_polling(window, run, end, proxy):
    window.forgive("WebSocket connection", "htmx:ws:error", "ERR_", "Failed to fetch")
    page = window()
    page.goto(proxy.url + run("Polled to its end"))
    expect(badge(page)).to_have_text(re.compile("^polling"))
    end(page)
    expect(badge(page)).to_contain_text("ended, up to date")
    expect(page).to_have_title(re.compile("^Cancelled"))
    icon(page, "cancelled")
    page.goto(proxy.url + run("Polled until nobody answers"))
    expect(badge(page)).to_have_text(re.compile("^polling"))
    proxy.close()
    expect(badge(page)).to_have_text(re.compile("^offline"))


def test_an_answer_that_the_news_have_overtaken_does_not_stay(window, run):
    """An answer of the time before the end, which arrives after the news of the end: the page asks once more."""
    page, held = window(), []
    page.goto(run("Overtaken"))
    expect(badge(page)).to_have_attribute("data-live", "live")
    before = page.request.get(page.url, headers={"HX-Request": "true"}).text()
    page.get_by_role("button", name=re.compile("^Cancel")).first.click()
    page.route(re.compile("/cancel$"), lambda route: held.append((route, route.fetch())))
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Cancel 1 running")).click()
    expect(badge(page)).to_contain_text("ended, up to date")
    expect(page.locator("#story")).to_contain_text("Cancelled")
    [(route, answer)] = held
    with page.expect_response(lambda response: response.request.method == "GET" and "/runs/" in response.url):
        route.fulfill(response=answer, body=before)
    expect(page.locator("#story")).to_contain_text("Cancelled")
    expect(badge(page)).to_contain_text("ended, up to date")


# Sockets that hang come last: for minutes afterwards the browser holds back those to the same address.


def test_the_page_polls_while_a_socket_is_neither_opened_nor_refused(window, run, proxy):
    """As some firewalls do it; and browsers themselves hold sockets back for minutes where many were refused."""
    proxy.silent = True
    page = window()
    page.goto(proxy.url + run("Unanswered"))
    expect(badge(page)).to_have_text(re.compile("^polling"))


def test_a_server_that_says_nothing_is_not_called_live(window, run, server):
    page = window()
    page.goto(run("Silent"))
    expect(badge(page)).to_have_attribute("data-live", "live")
    server.process.signal(signal.SIGSTOP)
    try:
        expect(badge(page)).to_contain_text("no news for 15 s, checking")
        expect(badge(page)).not_to_have_attribute("data-live", "live")
    finally:
        server.process.signal(signal.SIGCONT)
    expect(badge(page)).to_have_attribute("data-live", "live")


def test_whoever_is_signed_out_elsewhere_is_told(window, run, server):
    page = window()
    page.goto(run("Signed out"))
    expect(badge(page)).to_have_attribute("data-live", "live")
    server.run_python("from django.contrib.sessions.models import Session\nSession.objects.all().delete()")
    expect(badge(page)).to_contain_text("signed out: reload the page")
    expect(badge(page)).to_have_attribute("data-live", "offline")
