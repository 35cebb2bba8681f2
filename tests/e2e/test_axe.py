"""No violation of the accessibility rules of axe-core on any page or dialog, in both themes."""

from __future__ import annotations

import json

import pytest

from tests.e2e.axe import violations

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

PREPARE = """
from django.contrib.auth.models import User
from orchestration.builders.array import tree_from_array
import time
from orchestration.models import Run, Tree
from orchestration.services.runs import run_start
from orchestration.services.triggers import trigger_create
from orchestration.services.webhooks import webhook_create, webhook_test
user = User.objects.get(username="admin")
webhook, _ = webhook_create(user=user, url="https://example.com/hook", events=["run.failed"], name="tickets")
webhook_test(user=user, webhook_id=webhook.pk)
slow = tree_from_array(owner=user, data=[{"name": "Slow", "executor": "simulate", "inputs": {"duration_s": 900}}])
broken = [{"name": "Broken", "executor": "simulate", "inputs": {"duration_s": 0, "fail": "the disk is full"}}]
tree_from_array(owner=user, data=broken)
for name in ("Ship an order", "Convert price list", "Slow", "Broken"):
    run_start(user=user, tree_id=Tree.objects.get(name=name).pk)
for _ in range(300):
    if not Run.objects.filter(tree__name="Broken", completed_at=None).exists():
        break
    time.sleep(0.1)
run_start(user=user, tree_id=Tree.objects.get(name="Broken").pk)
trigger_create(user=user, tree_id=Tree.objects.get(name="Ship an order").pk, fields={"name": "nightly-build"})
"""

FIND = """
import json
from orchestration.models import WebhookDelivery
from orchestration.models import Run, Task, Trigger
runs = {run.tree.name: run for run in Run.objects.select_related("tree").order_by("-pk")}
task = {name: str(Task.objects.filter(tree=run.tree).last().pk) for name, run in runs.items()}
order, slow, broken = (runs[name] for name in ("Ship an order", "Slow", "Broken"))
again = Run.objects.filter(tree=broken.tree).latest("pk")
delivery = WebhookDelivery.objects.latest("pk")
found = {
    "tree": order.tree_id, "run": order.pk, "task": task["Ship an order"], "slow": slow.pk, "slow_task": task["Slow"],
    "broken": broken.pk, "again": again.pk, "broken_tree": broken.tree_id, "failed": task["Broken"],
    "webhook": delivery.webhook_id, "delivery": delivery.pk,
    "trigger": Trigger.objects.get(tree=order.tree_id).pk,
}
"""

PAGES = (
    "/", "/trees/?all=1", "/trees/?q=nothing", "/trees/new", "/trees/{tree}", "/trees/{tree}/delete", "/runs/?all=1",
    "/runs/{run}", "/tasks/{task}", "/queue/", "/executors/", "/executors/http/try", "/workers/?all=1", "/operations/",
    "/bulk/trees?action=cancel&all=1", "/bulk/trees?action=label&all=1", "/palette?q=re", "/me", "/nowhere",
    "/trees/{tree}/graph", "/trees/{tree}/start", "/trees/{tree}/dry-run", "/trees/{tree}/copy", "/trees/{tree}/link",
    "/trees/{tree}/archive", "/trees/{tree}/mixed", "/trees/build", "/runs/{run}/graph", "/runs/{run}/events",
    "/runs/{run}/data", "/runs/{run}/compare", "/runs/{broken}/compare/{again}", "/runs/{run}/rerun",
    "/runs/{slow}", "/runs/{slow}/graph", "/runs/{slow}/cancel", "/tasks/{slow_task}/cancel", "/tasks/{task}/edit",
    "/me/webhooks", "/trees/{tree}/webhooks", "/me/webhooks/{webhook}", "/me/webhooks/{webhook}/deliveries/{delivery}",
    "/trees/{tree}/edit", "/tasks/{failed}?attempt=1", "/runs/{broken}", "/runs/{broken}/rerun", "/me/tokens",
    "/trees/{broken_tree}", "/trees/{tree}/share", "/audit/", "/trees/{tree}/triggers",
    "/trees/{tree}/triggers/{trigger}",
)  # fmt: skip


@pytest.fixture(params=["light", "dark"])
def themed(window, server, request):
    page = window()
    page.emulate_media(color_scheme=request.param, reduced_motion="reduce")
    return page


@pytest.fixture(scope="module", autouse=True)
def ids(server):
    server.run_python(PREPARE)
    server.run_python(f"{FIND}\nopen({str(server.folder / 'ids')!r}, 'w').write(json.dumps(found))")
    return json.loads((server.folder / "ids").read_text())


def test_no_page_has_a_violation(themed, ids, window):
    found = []
    for address in PAGES:
        themed.goto(address.format(**ids))
        found += violations(themed)
    window.complaints[:] = [c for c in window.complaints if "404" not in c]
    assert not found, "\n".join(found)


def test_no_dialog_has_a_violation(themed, ids):
    found = []
    themed.goto("/trees/?all=1")
    themed.keyboard.press("Control+k")
    themed.keyboard.type("or")
    expect(themed.get_by_role("option").first).to_be_visible()
    found += violations(themed)
    themed.keyboard.press("Escape")
    expect(themed.get_by_role("dialog")).to_be_hidden()
    themed.keyboard.press("?")
    expect(themed.get_by_role("dialog")).to_be_visible()
    found += violations(themed)
    themed.keyboard.press("Escape")
    themed.locator("details.saved summary").click()
    themed.locator("[data-row] input").first.click()
    found += violations(themed)
    themed.goto(f"/runs/{ids['slow']}")
    openers = themed.locator("[data-dialog]:visible")
    expect(openers).not_to_have_count(0)
    for index in range(openers.count()):
        openers.nth(index).click()
        found += violations(themed)
        themed.keyboard.press("Escape")
    assert not found, "\n".join(found)


def test_the_sign_in_page_has_no_violation(browser, server):
    for theme in ("light", "dark"):
        context = browser.new_context(base_url=server.url, color_scheme=theme)
        page = context.new_page()
        page.goto("/login/")
        assert violations(page) == []
        context.close()
