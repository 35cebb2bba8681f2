"""Building in a real browser: from nothing, from a pattern, by keyboard alone, without JavaScript."""

from __future__ import annotations

import re
import time

import pytest

from tests.e2e.axe import violations

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
DRAFT = re.compile(r"/trees/build/\d+")


def begin(page, name):
    page.goto("/trees/build")
    page.get_by_label("Name of the tree").fill(name)
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(DRAFT)


def add(page, name):
    page.get_by_label("Name of a new task").fill(name)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(line(page, name)).to_have_attribute("aria-current", "true")
    expect(page.get_by_label("Name of a new task")).to_have_value("")


def line(page, name):
    return page.locator("#b-list a", has=page.locator(".b-name", has_text=re.compile(f"^{re.escape(name)}$")))


def choose_executor(page, executor):
    page.get_by_label("Executor", exact=True).select_option(executor)
    expect(page.locator("input[name=inputs_for]")).to_have_value(executor)


def runs_through(page):
    page.wait_for_url(re.compile(r"/runs/\d+"))
    expect(page.locator("#story")).to_contain_text("Completed", timeout=30_000)


def test_from_nothing_to_a_completed_run(window):
    page = window()
    begin(page, "Nightly report")
    add(page, "fetch")
    choose_executor(page, "simulate")
    page.get_by_label("Duration (seconds)").fill("0.2")
    page.get_by_label("Progress steps").fill("2")
    page.get_by_label("Message").focus()
    expect(page.locator("#b-raw-text")).to_have_value(re.compile('"duration_s": 0.2'))
    add(page, "send")
    choose_executor(page, "http_request" if page.locator("option[value=http_request]").count() else "http")
    expect(page.locator("#b-checks")).to_contain_text("'url' missing")
    choose_executor(page, "noop")
    expect(page.locator("#b-checks")).to_contain_text("all clear")
    page.get_by_label("Task that it waits for").fill("fetch")
    page.get_by_role("button", name="Add dependency").click()
    expect(line(page, "send")).to_contain_text("after fetch")
    page.get_by_role("button", name="Save and run").click()
    runs_through(page)


def test_an_edit_waits_for_the_answer_to_the_one_before(window):
    """What arrives late would show the draft without what was added since."""
    page = window()
    begin(page, "Nightly report")
    add(page, "fetch")
    asked, held = [], []

    def hold(route):
        asked.append(re.search(r'name="op"\r\n\r\n(\w+)|\bop=(\w+)', route.request.post_data).group(1, 2))
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route("**/edit", hold)
    page.get_by_label("Name", exact=True).fill("fetch it")
    page.get_by_label("Name of a new task").fill("send")
    page.get_by_role("button", name="Add", exact=True).click()
    page.evaluate("fetch('/healthz')")  # whatever was sent has been sent by now
    assert [next(filter(None, op)) for op in asked] == ["task"]
    held[0].continue_()
    expect(line(page, "send")).to_have_attribute("aria-current", "true")
    expect(line(page, "fetch it")).to_be_visible()
    assert len(asked) == 2


def test_of_tasks_chosen_quickly_the_last_one_is_shown(window):
    page = window()
    begin(page, "Nightly report")
    for name in ("a", "b", "c", "d"):
        add(page, name)
    line(page, "Nightly report").focus()
    asked = []
    page.route("**/trees/build/*?task=*", lambda route: asked.append(route) if not asked else route.continue_())
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    deadline = time.monotonic() + 30
    while not asked and time.monotonic() < deadline:
        page.wait_for_timeout(10)
    asked[0].continue_()
    expect(page.get_by_label("Name", exact=True)).to_have_value("c")
    expect(line(page, "c")).to_have_attribute("aria-current", "true")
    expect(page.locator("#b-list [aria-current]")).to_have_count(1)


def test_from_a_pattern_with_a_cycle_that_is_drawn_and_mended(window):
    page = window()
    page.goto("/trees/build")
    page.get_by_role("button", name="Use Sequential pipeline").click()
    page.wait_for_url(DRAFT)
    page.get_by_role("link", name="Graph", exact=True).click()
    boxes = page.locator("[data-box]")
    expect(boxes).not_to_have_count(0)
    page.get_by_role("button", name="Draw").click()
    boxes.last.click()
    boxes.first.click()
    expect(page.locator("#b-checks")).to_contain_text("dependencies form a cycle")
    expect(page.locator("#b-graph .b-arrow.bad")).not_to_have_count(0)
    page.get_by_role("button", name="Save tree").click()
    expect(page.locator("#notice")).to_contain_text("Not saved: dependencies form a cycle")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#b-checks")).to_contain_text("all clear")
    page.get_by_role("link", name="Dry run").click()
    expect(page.locator("#b-side")).to_contain_text("Critical path")
    page.get_by_role("button", name="Save and run").click()
    runs_through(page)


def test_the_draft_survives_leaving(window):
    page = window()
    begin(page, "Left behind")
    add(page, "one")
    page.goto("/trees/build")
    page.get_by_role("link", name="Continue Left behind").click()
    expect(line(page, "one")).to_be_visible()
    page.get_by_text("Discard…").click()
    page.get_by_role("button", name="Discard the draft").click()
    expect(page.get_by_text("Left behind")).to_have_count(0)


def test_by_keyboard_alone(window):
    page = window()
    begin(page, "Keys")
    for name in ("a", "b", "c"):
        page.locator("#b-new").focus()
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        expect(line(page, name)).to_have_attribute("aria-current", "true")
    line(page, "c").focus()
    page.keyboard.press("Alt+ArrowRight")
    expect(page.locator("li[data-level='3']")).to_contain_text("c")
    expect(line(page, "c")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(line(page, "b")).to_be_focused()
    page.keyboard.press("Delete")
    expect(page.locator("#b-list li")).to_have_count(2)
    page.keyboard.press("Control+z")
    expect(page.locator("#b-list li")).to_have_count(4)
    line(page, "a").focus()
    page.keyboard.press("F2")
    expect(page.locator("#id_name")).to_be_focused()
    page.keyboard.type("renamed")
    page.keyboard.press("Tab")
    expect(line(page, "renamed")).to_be_visible()


def test_tasks_are_dragged_and_dependencies_drawn_with_the_mouse(window):
    page = window()
    begin(page, "Mouse")
    for name in ("a", "b"):
        add(page, name)
        choose_executor(page, "noop")
    line(page, "b").drag_to(line(page, "a"), target_position={"x": 60, "y": 2})
    expect(page.locator("#b-list .b-name")).to_have_text(["Mouse", "b", "a"])
    page.get_by_role("link", name="Graph", exact=True).click()
    boxes = page.locator("[data-box]")
    expect(boxes).to_have_count(2)
    start, end = boxes.first.bounding_box(), boxes.last.bounding_box()
    page.mouse.move(start["x"] + 30, start["y"] + 20)
    page.mouse.down()
    page.mouse.move(end["x"] + 10, end["y"] + 10, steps=6)
    page.mouse.move(end["x"] + 30, end["y"] + 20, steps=3)
    page.mouse.up()
    expect(line(page, "a")).to_contain_text("after b")


def test_no_view_has_an_accessibility_violation(window):
    page = window()
    page.goto("/trees/build")
    found = violations(page)
    page.get_by_role("button", name="Use Complex workflow").click()
    page.wait_for_url(DRAFT)
    page.get_by_label("Name of a new task").fill("Check credit score")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#b-checks")).to_contain_text("2 tasks are named")
    line(page, "Open account").click()
    expect(page.locator("#id_name")).to_have_value("Open account")
    for view in ("Task", "Graph", "JSON", "Dry run"):
        page.get_by_role("link", name=view, exact=True).click()
        expect(page.locator("#b-side [aria-current=page]")).to_have_text(view)
        found += violations(page)
    assert found == []


def test_a_phone_and_no_javascript(window):
    page = window(java_script_enabled=False, viewport={"width": 390, "height": 844})
    begin(page, "Plain")
    page.get_by_label("Name of a new task").fill("work")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_label("Executor", exact=True).select_option("noop")
    page.locator("#b-task").get_by_role("button", name="Apply").click()
    expect(page.locator("#b-list")).to_contain_text("noop")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Save and run").click()
    page.wait_for_url(re.compile(r"/runs/\d+"))
