"""What each key of the help does: each proof presses it on a page of `keyscene` and looks."""

from __future__ import annotations

import re

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect


def palette(scene):
    scene.press("Control+k")
    scene.focused(scene.page.get_by_label("Search everything"))


def help_(scene):
    assert scene.listed()
    scene.focused(scene.page.locator("#keys").get_by_role("button", name="Close"))
    scene.press("Escape")
    expect(scene.page.locator("#keys")).to_be_hidden()


def filter_(scene):
    scene.press("/")
    assert scene.page.evaluate("document.activeElement.type") == "search"


def go(scene):
    for key, where in {
        "o": "/",
        "t": "/trees/",
        "r": "/runs/",
        "q": "/queue/",
        "e": "/executors/",
        "w": "/workers/",
    }.items():
        scene.press("g", key)
        scene.page.wait_for_url(lambda url, where=where: re.sub(r"^\w+://[^/]+|\?.*", "", url) == where)


def close(scene):
    scene.press("?", "Escape")
    expect(scene.page.locator("dialog[open]")).to_have_count(0)


def move(scene):
    names = scene.page.locator("[data-row] a.name")
    scene.focused(names.first)
    scene.press("j")
    scene.focused(names.nth(1))
    scene.press("k")
    scene.focused(names.first)


def open_(scene):
    was = scene.page.url
    scene.press("Enter")
    scene.page.wait_for_url(lambda url: url != was)


def pick(scene):
    scene.press("x", "j", "j", "X")
    expect(scene.page.locator("#bulk-count")).to_have_text("3 selected")


def bulk(scene):
    scene.press("a")
    expect(scene.page.locator("#bulk-all")).to_be_checked()
    scene.press("b")
    scene.focused(scene.page.locator("#bulk button[name=action]").first)


def bulk_of_picked(scene):
    scene.press("b")
    scene.focused(scene.page.locator("#bulk button[name=action]").first)


def news(scene):
    count = scene.page.locator("[data-row]").count()
    scene.press(".")
    expect(scene.page.locator("#news")).to_have_count(0)
    expect(scene.page.locator("[data-row]")).to_have_count(count + 1)


def tree_move(scene):
    scene.focused(scene.rows.first)
    scene.press("j")
    scene.focused(scene.rows.nth(1))
    scene.press("k")
    scene.focused(scene.rows.first)


def tree_arrows(scene):
    scene.press("ArrowDown")
    scene.focused(scene.rows.nth(1))
    scene.press("ArrowUp", "End")
    scene.focused(scene.rows.last)
    scene.press("Home")
    scene.focused(scene.rows.first)


def fold(scene):
    for shut, opened in (("h", "l"), ("ArrowLeft", "ArrowRight")):
        scene.press(shut)
        expect(scene.rows).to_have_count(1)
        scene.press(opened)
        expect(scene.rows).not_to_have_count(1)


def fold_all(scene):
    count = scene.rows.count()
    scene.press("End", "Shift+ArrowLeft")
    expect(scene.page.locator("#rows tr[aria-level='3']:visible")).to_have_count(0)
    assert scene.page.evaluate("document.activeElement.matches('#rows tr')")
    scene.press("Shift+ArrowRight")
    expect(scene.rows).to_have_count(count)


def panel(scene):
    scene.press("j", "o")
    aside = scene.page.get_by_role("complementary", name="Task")
    scene.focused(aside.get_by_role("heading").get_by_role("link").first)
    scene.press("Escape")
    expect(aside).to_be_hidden()
    scene.focused(scene.rows.nth(1))


def why(scene):
    scene.press("w")
    scene.focused(
        scene.page.get_by_role("complementary", name="Task").get_by_role("heading", name=re.compile("^Why it"))
    )
    scene.press("Escape")
    scene.focused(scene.rows.last)


def why_of_task(scene):
    scene.press("w")
    scene.focused(scene.page.get_by_role("heading", name=re.compile("^Why it")))


def priority(scene):
    scene.press("p")
    assert scene.page.evaluate("document.activeElement.matches('select[name=priority]')")


def tabs(scene):
    """From the first view to the last and back."""
    views = scene.page.locator("main nav.tabs a")
    for number in (views.count(), 1):
        scene.press(str(number))
        expect(views.nth(number - 1)).to_have_attribute("aria-current", "page")


def runs(scene):
    scene.press("[")
    scene.page.wait_for_url(f"**/runs/{scene.ids['first']}")
    scene.press("]")
    scene.page.wait_for_url(f"**/runs/{scene.ids['broken']}")


def rerun(scene):
    scene.press("r")
    scene.page.wait_for_url(re.compile(r"/rerun"))


def failure(scene):
    one, two = (scene.rows.filter(has=scene.page.get_by_role("link", name=name, exact=True)) for name in ("one", "two"))
    scene.press("n")
    scene.focused(one)
    scene.press("n")
    scene.focused(two)
    scene.press("N")
    scene.focused(one)


def cancel(scene):
    opener = scene.page.get_by_role("button", name=re.compile("^Cancel")).first
    scene.press("c")
    dialog = scene.page.get_by_role("dialog")
    scene.focused(dialog.get_by_role("button", name="Keep running"))
    scene.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_visible()


def follow(scene):
    scene.press("f")
    expect(scene.page.locator("#live")).to_have_attribute("data-follow", "")
    scene.press("f")
    expect(scene.page.locator("#live")).not_to_have_attribute("data-follow", "")


def along(scene):
    assert scene.page.locator("a.box").count() > 1
    scene.page.locator('a.box[data-name="works"]').focus()
    scene.press("ArrowRight")
    scene.focused(scene.page.locator('a.box[data-name="waits"]'))
    scene.press("ArrowLeft")
    scene.focused(scene.page.locator('a.box[data-name="works"]'))


def ends(scene):
    scene.press("End")
    scene.focused(scene.page.locator("a.box").last)
    scene.press("Home")
    scene.focused(scene.page.locator("a.box").first)


def neighbours(scene):
    scene.page.locator('a.box[data-name="works"]').focus()
    scene.press("n")
    scene.page.wait_for_url(re.compile("around="))


def zoom(scene):
    wide = lambda: float(scene.page.locator("#graph-svg").get_attribute("width"))  # noqa: E731
    before = wide()
    scene.press("+")
    assert wide() > before
    scene.press("-", "-")
    assert wide() < before
    scene.press("0")
    assert wide() <= scene.page.locator("#graph-canvas").bounding_box()["width"] + 1


def plan(scene):
    scene.press("r")
    scene.page.wait_for_url(re.compile(r"/start"))


def cancel_page(scene):
    scene.press("c")
    scene.page.wait_for_url(re.compile(r"/cancel"))


def lines(scene):
    return scene.page.locator("#b-list a")


def choose(scene):
    scene.press("ArrowDown")
    scene.focused(lines(scene).nth(2))
    expect(lines(scene).nth(2)).to_have_attribute("aria-current", "true")
    scene.press("ArrowUp")
    scene.focused(lines(scene).nth(1))
    expect(scene.page.locator("#id_name")).to_have_value("a")


def shift(scene):
    """Down and up again, in and out again: the draft is as before."""
    names = scene.page.locator("#b-list .b-name")
    for key, order in (("ArrowDown", ["Draft", "b", "a", "c"]), ("ArrowUp", ["Draft", "a", "b", "c"])):
        scene.press(f"Alt+{key}")
        expect(names).to_have_text(order)
        expect(lines(scene).filter(has=scene.page.get_by_text("a", exact=True))).to_be_focused()
    scene.press("ArrowDown", "Alt+ArrowRight")
    expect(scene.page.locator("#b-list li[data-level='3']")).to_have_count(1)
    scene.press("Alt+ArrowLeft")
    expect(scene.page.locator("#b-list li[data-level='3']")).to_have_count(0)


def new_task(scene):
    scene.press("n")
    scene.focused(scene.page.get_by_label("Name of a new task"))


def to_form(scene):
    for key in ("F2", "Enter"):
        lines(scene).nth(1).focus()
        scene.press(key)
        scene.focused(scene.page.locator("#id_name"))


def remove(scene):
    scene.press("Delete")
    expect(lines(scene)).to_have_count(3)
    assert scene.page.evaluate("document.activeElement.matches('#b-list a')")
    scene.press("Control+z")
    expect(lines(scene)).to_have_count(4)
    assert scene.page.evaluate("document.activeElement.matches('#b-list a')")
    scene.press("Control+Shift+Z")
    expect(lines(scene)).to_have_count(3)
    scene.press("u")
    expect(lines(scene)).to_have_count(4)
