"""No violation of the accessibility rules of axe-core in dialogs, before the sign-in and in what comes with libraries,
in both themes; of the pages, see `test_every_page`."""

from __future__ import annotations

import pytest

from tests.e2e.axe import bring, violations
from tests.e2e.pages import make

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect


ADD_RULE = """css => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets.push(sheet);
}"""


@pytest.fixture
def still(window):
    page = window()  # which asks for reduced motion: colours that still change would be looked at half way
    bring(page)
    return page


@pytest.fixture(scope="module", autouse=True)
def ids(server):
    return make(server, ["the disk is full", "no answer from the upstream"])


@pytest.mark.parametrize("broken", ["light", "dark"])
def test_what_breaks_in_one_theme_is_seen(still, broken):
    still.goto("/")
    rule = f"[data-bs-theme={broken}] h1 {{ color: #777 !important; background: #888 !important; }}"
    still.evaluate(ADD_RULE, rule)
    found = violations(still)
    assert {line.split()[1:3] == [f"({broken})", "color-contrast:"] for line in found} == {True}


def test_no_dialog_has_a_violation(still, ids):
    """Dialogs, menus, the panel of a task: whatever opens over or beside a page."""
    found = []
    still.goto("/trees/?all=1")
    still.keyboard.press("Control+k")
    still.keyboard.type("or")
    expect(still.get_by_role("option").first).to_be_visible()
    found += violations(still)
    still.keyboard.press("Escape")
    expect(still.get_by_role("dialog")).to_be_hidden()
    still.keyboard.press("?")
    expect(still.get_by_role("dialog")).to_be_visible()
    found += violations(still)
    still.keyboard.press("Escape")
    still.locator("[data-row] input").first.click()
    found += opened(still)
    still.goto(f"/runs/{ids['slow']}")
    openers = still.locator("[data-dialog]:visible")
    expect(openers).not_to_have_count(0)
    for index in range(openers.count()):
        openers.nth(index).click()
        expect(still.get_by_role("dialog").get_by_label("Reason")).to_be_visible()
        found += violations(still)
        still.keyboard.press("Escape")
    still.locator("#rows tr[aria-level]").first.focus()
    still.keyboard.press("o")
    expect(still.get_by_role("complementary", name="Task").get_by_role("heading").first).to_be_visible()
    found += violations(still)
    for address in (
        "/trees/{tree}",
        "/tasks/{failed}",
        "/runs/{broken}/rerun",
        "/trees/build/{draft}",
        "/runs/{run}/graph",
    ):
        still.goto(address.format(**ids))
        found += opened(still)
    still.set_viewport_size({"width": 390, "height": 844})
    still.goto("/")
    found += opened(still)
    assert not found, "\n".join(found)


def opened(page):
    """What axe finds in the page when everything that unfolds is unfolded."""
    shut = page.locator("details:not([open]) > summary:visible")
    expect(shut).not_to_have_count(0)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    return violations(page)


def test_the_sign_in_page_has_no_violation(window):
    page = window(None)
    page.goto("/login/")
    assert violations(page) == []


# how Swagger's script builds its page: no style can mend it
SWAGGERS_OWN = ("nested-interactive:", "heading-order:", "region:")


def test_what_comes_with_libraries_has_no_violation(still, ids):
    found = []
    for address in ("/api/docs/", "/admin/", "/admin/orchestration/tree/", "/admin/orchestration/run/{run}/change/"):
        assert still.goto(address.format(**ids)).status == 200
        expect(still.locator(".opblock, #content").first).to_be_visible()
        found += violations(still)
    found = [line for line in found if not ("/api/docs/" in line and any(rule in line for rule in SWAGGERS_OWN))]
    assert not found, "\n".join(found)
