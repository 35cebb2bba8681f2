"""Hostile names, inputs, results and errors in a real browser: text in rows, news, titles, drawings and the palette; on
every page, see `test_every_page`."""

from __future__ import annotations

import pytest

from tests.e2e.harm import HARM, TEXTS, TRAP, harm
from tests.e2e.pages import make
from tests.support_hostile import MARK

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect


@pytest.fixture(scope="module", autouse=True)
def ids(server):
    return make(server, TEXTS)


@pytest.fixture
def page(window):
    page = window()
    page.add_init_script(TRAP)
    return page


def note(page, name):
    """The note in the row of that task."""
    row = page.locator("#rows tr").filter(has=page.get_by_role("link", name=name, exact=True))
    return row.locator(".c-note")


def test_rows_titles_and_drawings_hold_it_letter_by_letter(page, ids):
    page.goto(f"/runs/{ids['broken']}")
    assert page.title() == f"Failed: {TEXTS[0]} #1 · apflow"
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{TEXTS[0]} #1")
    for text in TEXTS:
        expect(note(page, f"{text} fails")).to_contain_text(text)
    page.goto(f"/runs/{ids['broken']}/graph")
    drawn = set(page.locator("a.box").evaluate_all("(boxes) => boxes.map((box) => box.dataset.name)"))
    assert {f"{text} {end}" for text in TEXTS for end in ("of", "fails")} <= drawn
    titles = " ".join(page.locator("a.box title").all_text_contents())
    assert all(text in titles for text in TEXTS)


def test_news_and_toasts_hold_it_letter_by_letter(page, ids):
    page.goto(f"/trees/{ids['broken_tree']}")
    page.get_by_role("button", name=f"Run {3 + 2 * len(TEXTS)} tasks").click()
    page.wait_for_url("**/runs/*")
    expect(page.locator("#live")).to_contain_text("ended, up to date")
    assert harm(page) == []
    for text in TEXTS:
        expect(note(page, f"{text} fails")).to_contain_text(text)
    for text in TEXTS:
        page.goto(f"/trees/{ids['broken_tree']}")
        page.get_by_label("Name", exact=True).fill(text)
        page.get_by_role("button", name="Rename").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(text)
        assert page.title() == f"{text} · apflow"
        assert harm(page) == []
        page.goto("/trees/?q=kept")
        page.locator("details.saved summary").click()
        page.get_by_label("Keep the filter shown now as").fill(text)
        page.keyboard.press("Enter")
        expect(page.locator("#notice")).to_contain_text(f"The filter “{text}” is kept.")
        assert harm(page) == []
    page.goto(f"/runs/{ids['slow']}")
    page.get_by_role("button", name="Cancel").first.click()
    page.get_by_label("Reason").fill(TEXTS[3])
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.locator("#story")).to_contain_text(TEXTS[3])
    assert harm(page) == []


def test_the_palette_holds_it_letter_by_letter(page):
    page.goto("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("img src")
    expect(page.get_by_role("option").filter(has_text=TEXTS[3]).first).to_be_visible()
    assert harm(page) == []


def test_the_trap_would_be_heard(window, server):
    """The window does complain of what it forbids: of a script that the policy stops, and of a text that was run."""
    page = window()
    page.add_init_script(TRAP)
    page.goto("/me")
    page.evaluate(f"document.body.insertAdjacentHTML('beforeend', '<img src=x onerror={MARK}(1)>')")
    page.evaluate(f"{MARK}(1)")
    page.wait_for_function("() => document.querySelector('img').complete")
    said = " ".join(window.complaints())
    assert "CSP report" in said
    assert "a hostile text was run" in said
    assert page.evaluate(HARM) != []
    window.forgive("CSP report", "hostile", "Content Security Policy", "Failed to load resource")
