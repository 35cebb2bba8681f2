"""A run of 10,000 tasks: windows without blank rows, keys that go on in the next one, and a way to any row."""

from __future__ import annotations

import re
from html import unescape

import pytest

from dashboard.bench.browser import HOLES, USABLE

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

MAKE = """
from django.contrib.auth.models import User
from orchestration.builders.array import tree_from_array
from orchestration.services.runs import run_start
user = User.objects.get(username="admin")
array = [{"id": "root", "name": "Ten thousand"}]
array.append({"id": "gate", "name": "gate", "parent_id": "root", "executor": "simulate", "inputs": {"duration_s": 900}})
for number in range(3, 10001):
    array.append({"id": f"t{number}", "name": f"row {number}", "parent_id": "root", "executor": "noop",
                  "dependencies": [{"id": "gate"}]})
print(run_start(user=user, tree_id=tree_from_array(owner=user, data=array).pk).pk)
"""


@pytest.fixture(scope="module")
def run(server):
    return f"/runs/{server.asked_python(MAKE).strip()}"


@pytest.fixture
def page(window, run):
    page = window()
    page.goto(run)
    return page


def number(page):
    """The row that has the focus."""
    return page.evaluate("Number(document.activeElement.getAttribute('aria-rowindex'))")


def test_scrolling_shows_no_blank_row(page):
    page.mouse.move(640, 600)
    holes = 0
    for step in range(60):
        if step < 40:
            page.mouse.wheel(0, 240)
        else:
            page.evaluate("(part) => scrollTo(0, part * document.body.scrollHeight)", (step * 7 % 20) / 20)
        page.evaluate(USABLE)
        holes += page.evaluate(HOLES)
    assert holes == 0
    assert page.evaluate("scrollY") > 1000


def test_the_arrows_go_on_in_the_next_window(page, run):
    rows = page.locator("#rows tr[aria-level]")
    size = rows.count()
    assert size < 1000
    page.keyboard.press("j")
    page.keyboard.press("End")
    assert number(page) == size
    for key, row in (("ArrowDown", size + 1), ("ArrowUp", size), ("j", size + 1), ("ArrowDown", size + 2)):
        page.keyboard.press(key)
        expect(page.locator(f"#rows tr[aria-rowindex='{row}']")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/tasks/**")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"row {size + 2}")


def test_any_row_is_reached_by_its_number(page):
    page.get_by_label("Go to row").fill("9876")
    page.keyboard.press("Enter")
    row = page.locator("#rows tr[aria-rowindex='9876']")
    expect(row).to_be_visible()
    expect(row).to_contain_text("row 9876")
    expect(row).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#rows tr[aria-rowindex='9877']")).to_be_focused()


def test_every_window_has_its_rows(page, run):
    """From the first to the last: each row once, in order."""
    seen, following = [], run
    while following:
        html = page.request.get(following).text()
        seen += [int(row) for row in re.findall(r'aria-rowindex="(\d+)"', html)]
        found = re.search(r'<a href="([^"]+)" rel="next"', html)
        following = found and unescape(found[1])
    assert seen == list(range(1, 10001))


def test_a_task_is_found_by_its_name(page):
    page.get_by_label("Find a task by name").fill("row 7777")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q=row"))
    expect(page.locator("#rows")).to_contain_text("row 7777")
