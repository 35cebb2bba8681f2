"""The graph in a browser: drawn, live, worked by keys and pointer, light and dark, large and on a phone."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

TREE = """
from django.contrib.auth.models import User
from orchestration.builders.array import tree_from_array
tree_from_array(owner=User.objects.get(username="admin"), data=%s)
"""
SLOW = """[{"name": "<b>Live & kicking"},
    {"name": "first", "parent_id": "<b>Live & kicking", "executor": "simulate", "inputs": {"duration_s": 8}},
    {"name": "left", "parent_id": "<b>Live & kicking", "executor": "noop", "dependencies": [{"name": "first"}]},
    {"name": "right", "parent_id": "<b>Live & kicking", "executor": "noop",
     "dependencies": [{"name": "first", "required": False}]},
    {"name": "last", "parent_id": "<b>Live & kicking", "executor": "noop",
     "dependencies": [{"name": "left"}, {"name": "right"}]}]"""


def run_tree(page, name):
    """Run the tree of that name from its page; the address of the run."""
    page.goto(f"/trees/?q={name}")
    page.get_by_role("link", name=name, exact=True).first.click()
    page.get_by_role("button", name=re.compile("^Run ")).first.click()
    page.wait_for_url(re.compile(r"/runs/\d+"))
    return re.search(r".*/runs/\d+", page.url)[0]


def box(page, name):
    return page.locator(f'a.box[data-name="{name}"]')


def test_the_graph_of_a_run_changes_while_it_goes_on(window, server):
    server.run_python(TREE % SLOW)
    page = window()
    url = run_tree(page, "<b>Live & kicking")
    page.get_by_role("navigation", name="Views of this run").get_by_role("link", name="Graph").click()
    expect(page).to_have_url(f"{url}/graph")
    expect(page.locator("a.box")).to_have_count(4)
    expect(box(page, "first")).to_have_attribute("data-state", "running")
    box(page, "first").focus()
    page.keyboard.press("ArrowRight")
    expect(box(page, "left")).to_be_focused()
    expect(page.locator("#live")).to_contain_text("ended, up to date")
    expect(page.locator('a.box:not([data-state="completed"])')).to_have_count(0)
    expect(page.locator('#graph-svg .edge:not([data-out="met"])')).to_have_count(0)
    expect(box(page, "left")).to_be_focused()  # nothing was taken away from under the person
    expect(page.locator("#graph-svg .edge title").first).to_have_text(re.compile("satisfied|completed"))


def test_keys_walk_along_the_lines_and_open_a_task(window):
    page = window()
    url = run_tree(page, "Load daily orders")
    expect(page.locator("#live")).to_contain_text("ended, up to date")
    page.goto(f"{url}/graph")
    page.locator("#graph-canvas").get_by_role("link", name=re.compile("^Extract")).focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("link", name=re.compile("^Validate orders"))).to_be_focused()
    page.keyboard.press("ArrowRight")
    middle = page.evaluate("document.activeElement.dataset.name")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.name") != middle
    page.keyboard.press("ArrowLeft")
    expect(box(page, "Validate orders")).to_be_focused()
    page.keyboard.press("n")
    page.wait_for_url(re.compile("around="))
    expect(page.get_by_role("heading", name=re.compile("^Around"))).to_be_visible()
    box(page, "Validate orders").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/tasks/"))


def test_a_thousand_boxes_are_zoomed_and_dragged(window):
    page = window()
    url = run_tree(page, "Index the archive")
    page.goto(f"{url}/graph")
    expect(page.locator("a.box")).to_have_count(1000)
    svg = page.locator("#graph-svg")
    wide = float(svg.get_attribute("width"))
    page.get_by_role("button", name="Larger").click()
    assert float(svg.get_attribute("width")) == pytest.approx(1.25 * wide)
    page.get_by_role("button", name="Fit").click()
    canvas = page.locator("#graph-canvas")
    assert svg.bounding_box()["height"] <= canvas.bounding_box()["height"] + 1
    assert svg.bounding_box()["width"] <= canvas.bounding_box()["width"] + 1
    for _ in range(12):
        page.get_by_role("button", name="Larger").click()
    left = canvas.evaluate("e => e.scrollLeft")
    at = canvas.bounding_box()
    page.mouse.move(at["x"] + 600, at["y"] + 300)
    page.mouse.down()
    page.mouse.move(at["x"] + 300, at["y"] + 200, steps=4)
    page.mouse.up()
    assert canvas.evaluate("e => e.scrollLeft") == pytest.approx(left + 300, abs=2)
    assert page.url.endswith("/graph")  # the drag did not open a task


DENSE = """[{"name": "Dense"}] + [
    {"name": f"t{i}", "parent_id": "Dense", "executor": "simulate", "inputs": {"duration_s": 0 if i else 6},
     "dependencies": [{"name": f"t{j}"} for j in range(i - 30, i - 27)] if i >= 30 else []} for i in range(230)]"""
ARROWS = """(paths) => Object.fromEntries(
  paths.map((path) => [path.dataset.out, path.getAttribute("d").split("M").length - 1]))"""


def test_many_arrows_follow_the_news_and_the_pointer(window, server):
    server.run_python(TREE % DENSE)
    page = window()
    url = run_tree(page, "Dense")
    page.goto(f"{url}/graph")
    arrows = page.locator("#graph-svg .edge[data-out]")
    assert page.locator("#graph-svg .edge[data-a]").count() == 0
    assert sum(arrows.evaluate_all(ARROWS).values()) == 600
    assert 0 < page.locator("a.box.on").count() < page.locator("a.box").count()  # texts only near the window
    page.get_by_role("button", name="Fit").click()
    box(page, "t60").hover()
    near = page.locator("#graph-svg .edge.near")
    assert near.get_attribute("d").count("M") == 6
    expect(page.locator("#live")).to_contain_text("ended, up to date", timeout=60_000)
    expect(page.locator('a.box:not([data-state="completed"])')).to_have_count(0)
    assert {out: count for out, count in arrows.evaluate_all(ARROWS).items() if count} == {"met": 600}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_graph_fits_a_phone(window, server, theme):
    page = window()
    page.set_viewport_size({"width": 390, "height": 844})
    page.context.add_cookies([{"name": "theme", "value": theme, "url": server.url}])
    page.goto("/trees/?q=Load daily orders")
    page.get_by_role("link", name="Load daily orders", exact=True).first.click()
    page.get_by_role("link", name="Graph").click()
    expect(box(page, "Validate orders")).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_text("The same as a list").click()
    expect(page.locator(".gtext li").first).to_be_visible()
