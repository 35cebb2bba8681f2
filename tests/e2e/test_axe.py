"""No violation of the accessibility rules of axe-core on any page or dialog, in both themes."""

from __future__ import annotations

import re

import pytest

from tests.e2e.axe import violations

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

PREPARE = """
from django.contrib.auth.models import User
from orchestration.builders.array import tree_from_array
from orchestration.models import Tree
from orchestration.services.runs import run_start
user = User.objects.get(username="admin")
slow = tree_from_array(owner=user, data=[{"name": "Slow", "executor": "simulate", "inputs": {"duration_s": 900}}])
for name in ("Ship an order", "Convert price list", "Slow"):
    run_start(user=user, tree_id=Tree.objects.get(name=name).pk)
"""

PAGES = (
    "/", "/trees/?all=1", "/trees/?q=nothing", "/trees/new", "/trees/{tree}", "/trees/{tree}/delete", "/runs/?all=1",
    "/runs/{run}", "/tasks/{task}", "/queue/", "/executors/", "/executors/http/try", "/workers/?all=1", "/operations/",
    "/bulk/trees?action=cancel&all=1", "/bulk/trees?action=label&all=1", "/palette?q=re", "/me", "/nowhere",
)  # fmt: skip


@pytest.fixture(params=["light", "dark"])
def themed(window, server, request):
    page = window()
    page.emulate_media(color_scheme=request.param, reduced_motion="reduce")
    return page


@pytest.fixture(scope="module", autouse=True)
def ids(server):
    server.run_python(PREPARE)
    server.run_python(
        "from orchestration.models import *\n"
        "t = Tree.objects.get(name='Ship an order'); r = t.runs.get()\n"
        f"open({str(server.folder / 'ids')!r}, 'w').write(f'{{t.pk}} {{r.pk}} {{t.tasks.last().pk}}')"
    )
    return dict(zip(("tree", "run", "task"), (server.folder / "ids").read_text().split(), strict=True))


def test_no_page_has_a_violation(themed, ids, window):
    found = []
    for address in PAGES:
        themed.goto(address.format(**ids))
        found += violations(themed)
    window.complaints[:] = [c for c in window.complaints if "404" not in c]
    assert found == []


def test_no_dialog_has_a_violation(themed, ids):
    found = []
    themed.goto("/trees/?all=1")
    themed.keyboard.press("Control+k")
    themed.keyboard.type("or")
    expect(themed.get_by_role("option").first).to_be_visible()
    found += violations(themed)
    themed.keyboard.press("Escape")
    themed.keyboard.press("?")
    expect(themed.get_by_role("dialog")).to_be_visible()
    found += violations(themed)
    themed.keyboard.press("Escape")
    themed.locator("details.saved summary").click()
    themed.locator("[data-row] input").first.click()
    found += violations(themed)
    themed.goto("/runs/?state=in_progress")
    themed.locator("[data-row] a.name").first.click()
    themed.wait_for_url(re.compile(r"/runs/\d+"))
    openers = themed.locator("[data-dialog]:visible")
    expect(openers).not_to_have_count(0)
    for index in range(openers.count()):
        openers.nth(index).click()
        found += violations(themed)
        themed.keyboard.press("Escape")
    assert found == []


def test_the_sign_in_page_has_no_violation(browser, server):
    for theme in ("light", "dark"):
        context = browser.new_context(base_url=server.url, color_scheme=theme)
        page = context.new_page()
        page.goto("/login/")
        assert violations(page) == []
        context.close()
