"""Everything there is to look at: a scene with one of each, and the addresses of its pages."""

from __future__ import annotations

import json

PAGES = (
    "/", "/trees/?all=1", "/trees/?q=nothing", "/trees/new", "/trees/{tree}", "/trees/{tree}/delete", "/runs/?all=1",
    "/runs/{run}", "/tasks/{task}", "/queue/", "/executors/", "/executors/http/try", "/workers/?all=1", "/operations/",
    "/bulk/trees?action=cancel&all=1", "/bulk/trees?action=label&all=1", "/palette?q=re", "/me",
    "/trees/{tree}/graph", "/trees/{tree}/start", "/trees/{tree}/dry-run", "/trees/{tree}/copy", "/trees/{tree}/link",
    "/trees/{tree}/archive", "/trees/{tree}/mixed", "/trees/build", "/runs/{run}/graph", "/runs/{run}/events",
    "/runs/{run}/data", "/runs/{run}/compare", "/runs/{broken}/compare/{again}", "/runs/{run}/rerun",
    "/runs/{slow}", "/runs/{slow}/graph", "/runs/{slow}/cancel", "/tasks/{slow_task}/cancel", "/tasks/{task}/edit",
    "/me/webhooks", "/trees/{tree}/webhooks", "/me/webhooks/{webhook}", "/me/webhooks/{webhook}/deliveries/{delivery}",
    "/trees/{tree}/edit", "/tasks/{failed}?attempt=1", "/runs/{broken}", "/runs/{broken}/rerun", "/me/tokens",
    "/trees/{broken_tree}", "/trees/{tree}/share", "/audit/", "/trees/{tree}/triggers",
    "/trees/{tree}/triggers/{trigger}", "/bulk/runs?action=rerun&all=1", "/operations/{operation}",
    "/trees/{tree}/graph?q=a", "/trees/build/{draft}", "/trees/build/{draft}?view=graph",
    "/trees/build/{draft}?view=json", "/trees/build/{draft}?view=dry", "/tasks/{failed}/panel", "/runs/?state=failed",
    "/trees/{tree}/dry-run?mode=all", "/runs/{broken}/events", "/runs/{broken}/data", "/runs/{broken}/graph",
    "/trees/{broken_tree}/graph", "/trees/{broken_tree}/mixed", "/trees/{broken_tree}/copy", "/runs/{broken}/compare",
    "/tasks/{held}/release?on={failed}", "/me/secrets", "/tasks/{held}", "/trees/{large}/graph",
)  # fmt: skip

_MAKE = """
import json, time
from django.contrib.auth.models import User
from django.utils import timezone
from orchestration.builders.array import tree_from_array
from orchestration.builders.draft import draft_from_tree
from orchestration.models import BulkOperation, Run, SavedFilter, Task, Tree, WebhookDelivery
from orchestration.services.drafts import draft_start
from orchestration.services.runs import run_start
from orchestration.services.triggers import trigger_create
from orchestration.services.webhooks import webhook_create, webhook_test
texts = TEXTS
first = texts[0]
user = User.objects.get(username="admin")
webhook, _ = webhook_create(user=user, url="https://example.com/hook", events=["run.failed"], name=first[:60])
webhook_test(user=user, webhook_id=webhook.pk)
slow = tree_from_array(owner=user, data=[{"name": first, "executor": "simulate", "inputs": {"duration_s": 900}}])
array = [{"id": "root", "name": first}]
def add(name, after=(), **inputs):
    array.append({"id": f"t{len(array)}", "name": name, "executor": "simulate", "parent_id": "root",
                  "inputs": {"duration_s": 0, **inputs}, "dependencies": list(after)})
add("broken", fail=first)
add("held", after=[{"id": "t1"}])
for text in texts:
    add(f"{text} of", after=[{"id": "t1", "required": False}], message=text, result={text: text})
    add(f"{text} fails", fail=text)
broken = tree_from_array(owner=user, data=array, labels=[first[:40]])
order = Tree.objects.get(name="Ship an order")
def run(tree):
    return run_start(user=user, tree_id=tree.pk)
def ended(run):
    while Run.objects.filter(pk=run.pk, completed_at=None).exists():
        time.sleep(0.1)
runs = [run(order), run(broken), run(slow)]
ended(runs[0])
ended(runs[1])
again = run(broken)
ended(again)
draft = draft_start(user=user, array=draft_from_tree(broken))
SavedFilter.objects.create(user=user, page="trees", name=first[:40], query="q=x")
operation = BulkOperation.objects.create(
    actor=user, action="label", kind="trees", ids=[slow.pk], argument=first[:40], reason=first, total=1, failed=1,
    done=1, state="done", created_at=timezone.now(), failures=[{"id": slow.pk, "name": first, "message": first}])
trigger = trigger_create(user=user, tree_id=order.pk, fields={"name": first[:100]})
delivery = WebhookDelivery.objects.latest("pk")
print(json.dumps({
    "large": Tree.objects.get(name="Index the archive").pk,
    "tree": order.pk, "run": runs[0].pk, "task": str(Task.objects.filter(tree=order).last().pk), "slow": runs[2].pk,
    "slow_task": str(Task.objects.get(tree=slow).pk), "broken": runs[1].pk, "again": again.pk,
    "broken_tree": broken.pk, "failed": str(Task.objects.get(tree=broken, name="broken").pk), "draft": draft.pk,
    "held": str(Task.objects.get(tree=broken, name="held").pk),
    "webhook": delivery.webhook_id, "delivery": delivery.pk, "operation": operation.pk, "trigger": trigger.pk}))
"""


def make(server, texts: list[str]) -> dict[str, object]:
    """The scene on *server*, with *texts* wherever a person or a task can put one; what PAGES needs to know."""
    return json.loads(server.asked_python(_MAKE.replace("TEXTS", repr(texts))))
