"""The focus: seen wherever it is, on the safe choice of a dialog, and never lost by an action."""

from __future__ import annotations

import re

import pytest

from tests.e2e.hands import SEEN
from tests.e2e.pages import make

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

STOPS = 70
WALKED = (
    "/", "/trees/?all=1", "/runs/?all=1", "/runs/{broken}", "/runs/{slow}", "/runs/{run}/graph", "/tasks/{failed}",
    "/trees/{tree}", "/trees/build/{draft}", "/queue/", "/me", "/runs/{broken}/rerun", "/trees/{tree}/triggers",
)  # fmt: skip
CLEAR = """(at) => {
  const box = at.getBoundingClientRect();
  return [[.5, .5], [.1, .5], [.9, .5], [.5, .1], [.5, .9]].some(([x, y]) => {
    const hit = document.elementFromPoint(box.left + x * box.width, box.top + y * box.height);
    return hit && (at.contains(hit) || hit.contains(at) || hit.closest("#news"));  // the chip goes by its key
  });
}"""
HERE = f"""async () => {{
  const at = document.activeElement;
  if (at === document.body) return null;
  const clear = {CLEAR};
  const end = performance.now() + 5000; // it is scrolled to; a busy machine draws few frames
  while (!clear(at) && performance.now() < end) await new Promise(requestAnimationFrame);
  return {{ seen: ({SEEN})(at), clear: clear(at), what: at.outerHTML.slice(0, 120) }};
}}"""


@pytest.fixture(scope="module", autouse=True)
def ids(server):
    return make(server, ["the disk is full"])


@pytest.fixture
def page(window):
    return window()


def focused(locator):
    expect(locator).to_be_focused()


def test_it_is_seen_at_every_stop(page, ids):
    unseen = []
    for address in WALKED:
        page.goto(address.format(**ids))
        for _ in range(STOPS):
            page.keyboard.press("Tab")
            here = page.evaluate(HERE)
            if here is None:
                break
            if not (here["seen"] and here["clear"]):
                unseen.append((address, here))
    assert unseen == []


def test_dialogs_open_on_the_safe_choice_and_give_it_back(page, ids):
    page.goto(f"/runs/{ids['slow']}")
    opener = page.get_by_role("button", name=re.compile("^Cancel")).first
    opener.focus()
    page.keyboard.press("Enter")
    safe = page.get_by_role("dialog").get_by_role("button", name="Keep running")
    focused(safe)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    focused(opener)
    for keys, inside in (("?", page.get_by_role("button", name="Close")), ("Control+k", page.locator("#palette-q"))):
        page.keyboard.press(keys)
        focused(inside)
        page.keyboard.press("Escape")
        focused(opener)


def test_a_cancel_leaves_it_where_the_button_was(page, ids):
    page.goto(f"/runs/{ids['slow']}")
    page.get_by_role("button", name=re.compile("^Cancel")).first.focus()
    page.keyboard.press("Enter")
    focused(page.get_by_role("button", name="Keep running"))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#story")).to_contain_text("ancelled")
    expect(page.locator("#live")).to_contain_text("up to date")
    page.wait_for_function("() => document.activeElement.closest('#run-actions')")


def test_menus_and_selections_give_it_back(page, ids):
    page.goto("/trees/?all=1")
    menu = page.locator("summary", has_text="Saved filters")
    menu.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    focused(menu)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.locator("#bulk-none").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#bulk[data-some]")).to_have_count(0)
    page.wait_for_function("() => document.activeElement !== document.body")
    page.goto(f"/trees/{ids['tree']}")
    menu = page.locator("summary", has_text="Copy, link, archive")
    menu.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    focused(menu)


def test_a_choice_by_keys_waits_for_the_one_that_is_meant(page, ids):
    """Arrows pass the choices on the way; the page that answers begins where the choice was made."""
    page.goto(f"/runs/{ids['broken']}/rerun")
    was = page.url
    page.locator("input[name=mode]:checked").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.url == was
    value = page.locator("input[name=mode]:checked").get_attribute("value")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"mode={value}"))
    focused(page.locator(f"input[type=radio][value={value}]"))
    page.goto(f"/runs/{ids['broken']}/compare")
    was = page.url
    page.get_by_label("Compare with").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    assert page.url == was


def test_setting_a_priority_keeps_it(page, ids):
    page.goto(f"/tasks/{ids['failed']}")
    page.keyboard.press("p")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    button = page.get_by_role("button", name="Set", exact=True)
    focused(button)
    with page.expect_response(re.compile("/priority")):
        page.keyboard.press("Enter")
    expect(page.locator("#notice")).not_to_be_empty()
