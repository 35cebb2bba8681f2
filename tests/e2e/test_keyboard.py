"""Keys: what `?` lists works, nothing else is listed, no single key changes anything, and the focus is never lost."""

from __future__ import annotations

import json
import re
import string

import pytest

from tests.e2e import keyproofs as keys
from tests.e2e.keyscene import MAKE, ONE_MORE, Scene

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

NAMED = ("Delete", "Backspace", "Enter", "Space", "Escape", "Insert", "Home", "End", "PageDown", "F2", "F4", "F8")
CHANGES = {"/edit"}  # steps of a draft: undo takes each of them back
EVERYWHERE = {"Ctrl K": keys.palette, "?": keys.help_, "g o t r q e w": keys.go, "Esc": keys.close}
HERE_TOO = dict.fromkeys(EVERYWHERE)  # listed; proven on other pages, by the same script
LIST = HERE_TOO | {"/": keys.filter_, "j k": keys.move, "Enter": keys.open_, "x Shift x": keys.pick, "a": keys.bulk}
RUN = HERE_TOO | {
    "/": keys.filter_,
    "j k": keys.tree_move,
    "↓ ↑ Home End": keys.tree_arrows,
    "h l ← →": keys.fold,
    "Shift ← Shift →": keys.fold_all,
    "Enter": keys.open_,
    "o": keys.panel,
    "1 2 …": keys.tabs,
}
PAGES = {
    "profile": EVERYWHERE,
    "list": LIST,
    "picked row": dict.fromkeys(LIST) | {"b": keys.bulk_of_picked},
    "news": dict.fromkeys(LIST) | {".": keys.news},
    "runs": LIST,
    "failed run": RUN | {"[ ]": keys.runs, "r": keys.rerun, "n N": keys.failure},
    "active run": dict.fromkeys(RUN) | {"c": keys.cancel, "f": keys.follow},
    "waiting row": dict.fromkeys(RUN) | {"c": None, "f": None, "w": keys.why},
    "tree": HERE_TOO | {"1 2 …": keys.tabs, "r": keys.plan},
    "builder": EVERYWHERE
    | {
        "1 2 …": keys.tabs,
        "p": keys.priority,
        "u": keys.remove,
        "↑ ↓": keys.choose,
        "Alt ↑ ↓ → ←": keys.shift,
        "n": keys.new_task,
        "F2 or Enter": keys.to_form,
        "Delete": keys.remove,
        "Ctrl Z": keys.remove,
    },
    "graph": EVERYWHERE
    | {
        "/": keys.filter_,
        "1 2 …": keys.tabs,
        "c": keys.cancel,
        "f": keys.follow,
        "← →": keys.along,
        "↑ ↓": keys.along,
        "Home End": keys.ends,
        "n": keys.neighbours,
        "+ - 0": keys.zoom,
    },
    "task": HERE_TOO | {"w": keys.why_of_task, "p": keys.priority, "c": keys.cancel_page},
    "queue": HERE_TOO | {"p": keys.priority},
}


@pytest.fixture(scope="module", autouse=True)
def ids(server):
    return json.loads(server.asked_python(MAKE))


@pytest.fixture
def scene(window, ids, server):
    return Scene(window(), ids, lambda: server.run_python(ONE_MORE))


@pytest.mark.parametrize("name", PAGES)
def test_help_lists_what_works_and_nothing_else(scene, name):
    proofs = PAGES[name]
    scene.open(name)
    assert scene.listed() == set(proofs)
    for proof in dict.fromkeys(filter(None, proofs.values())):  # None: proven on another page
        scene.open(name)
        proof(scene)


@pytest.mark.parametrize("name", [name for name in PAGES if name != "news"])
def test_no_single_key_changes_anything(scene, name):
    page, sent = scene.page, []
    page.on("request", lambda request: sent.append(request) if request.method != "GET" else None)
    scene.open(name)
    for key in (*string.digits, *string.ascii_letters, *string.punctuation, *NAMED):
        if key == "/":
            continue  # to the filter: what follows would be typed
        page.keyboard.press(key)
        if scene.left(name):
            scene.back(name)
    changes = [request.url for request in sent if not request.url.endswith(tuple(CHANGES))]
    assert changes == []
    assert name == "builder" or not sent


def test_the_palette_goes_anywhere(scene):
    page = scene.page
    page.goto("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("health")
    expect(page.get_by_role("option", name=re.compile("Server health report")).first).to_be_visible()
    expect(page.locator('[role="option"][aria-selected="true"]')).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.locator('[role="option"][aria-selected="true"]')).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/trees/\d+"))
    page.keyboard.press("Control+k")
    page.keyboard.type("something")
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()


def test_the_palette_changes_the_theme_at_once(scene):
    page = scene.page
    page.goto("/")
    address, before = page.url, page.evaluate("document.documentElement.dataset.bsTheme")
    page.keyboard.press("Control+k")
    page.keyboard.type("dark")
    expect(page.locator('[role="option"][aria-selected="true"]')).to_contain_text("Light or dark")
    page.keyboard.press("Enter")
    other = {"light": "dark", "dark": "light"}[before]
    expect(page.locator("html")).to_have_attribute("data-bs-theme", other)
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", other)
    assert page.url == address


def test_letters_in_a_field_stay_letters(scene):
    page = scene.page
    page.goto("/trees/?all=1")
    page.get_by_label("Search trees by name").fill("")
    page.keyboard.type("gtx?ja")
    expect(page.get_by_label("Search trees by name")).to_have_value("gtx?ja")
    expect(page.locator("#keys")).to_be_hidden()
