"""Whatever a name, an input, a result, an error or a log holds: every page and every fragment shows it as text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from django.utils import timezone

from dashboard import graph_live, live
from dashboard.contexts.graph_plan import GraphQuery
from dashboard.contexts.insight import run_insight
from dashboard.contexts.runs import Rights
from dashboard.htmx import notice
from orchestration.builders.draft import draft_from_tree
from orchestration.domain.states import Kind, Status
from orchestration.domain.webhooks import DeliveryState
from orchestration.models import BulkOperation, Event, Run, SavedFilter, Task, Webhook, WebhookDelivery
from orchestration.selectors.run_rows import Window
from orchestration.services.drafts import draft_start
from orchestration.services.triggers import trigger_create
from orchestration.services.webhook_feed import Feed
from orchestration.services.webhooks import webhook_create
from tests.dashboard.conftest import signed_in
from tests.dashboard.rows import end_run, end_task, start
from tests.factories import make_tree, make_user, task, task_named
from tests.support_hostile import MARK, PAYLOADS
from tests.support_routes import page_patterns

EVERYTHING = Rights(run=True, cancel=True)

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
QUERIES = {
    "bulk": ("?action=label&all=1", "?action=cancel&all=1", "?action=rerun&all=1"),
    "palette": ("?q=hostile",),
    "run": ("", "?q={payload}", "?state=failed"),
    "trees": ("", "?q={payload}&label={payload}"),
    "runs": ("", "?q={payload}", "?state={payload}"),
    "draft": ("?view=graph", "?view=json", "?view=dry", "?view=task&task={hex}"),
    "tree_edit": ("", "?task={hex}"),
    "task": ("", "?run={payload}"),
    "run_rerun": ("", "?mode=failed", "?task={hex}"),
    "operations": ("",),
}


class Reader(HTMLParser):
    """Collects what a browser would run: our marker in a script, in a handler or as an address."""

    def __init__(self):
        super().__init__()
        self.runs, self.inside = [], ""

    def handle_starttag(self, tag, attrs):
        self.inside = tag
        for name, value in attrs:
            if name.startswith("on") and MARK in (value or ""):
                self.runs.append(f"{tag} {name}={value}")
            if name in {"href", "src", "action", "formaction"} and (value or "").strip().startswith("javascript:"):
                self.runs.append(f"{tag} {name}={value}")
        if tag == "img":
            self.runs.append(tag)

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside == "script" and f"{MARK}(1)" in data:
            self.runs.append(f"script {data[:60]}")


def suspect(part):
    """Whether *part*, a tag and the text after it, holds anything that `Reader` looks for."""
    return MARK in part or "javascript:" in part.lower() or part.lower().startswith("<img")


def check(html, payload):
    reader = Reader()
    for part in filter(suspect, (f"<{part}" for part in html.split("<"))):  # to read all takes as long as making it
        reader.feed(part)
    reader.close()
    assert reader.runs == []
    if "<" in payload:
        assert payload not in html
    assert "1337" not in html or "{{" not in payload  # 7 * 191


@pytest.fixture(params=list(PAYLOADS.values()), ids=list(PAYLOADS))
def scene(request):
    """A tree that is hostile everywhere, with a run that failed and one under way."""
    payload = request.param
    user = make_user("ann", role="admin")
    inputs = {"duration_s": 0, "message": payload, "result": {payload: payload}}
    tree = make_tree(
        task(payload, executor=""),
        task("load", executor="simulate", inputs=inputs),
        task(f"{payload} 2", executor="simulate", inputs=inputs, after=["load"]),
        owner=user,
        labels=(payload[:40],),
    )
    SavedFilter.objects.create(user=user, page="trees", name=payload[:40], query="q=x")
    failed = start(tree)
    texts = {"error": payload, "error_code": payload[:40], "traceback": payload, "log": payload}
    kept = {"inputs": inputs, "provenance": {"message": {"from": payload}}}
    end_task(failed, task_named(tree, "load"), Status.FAILED, **texts, **kept)
    end_task(failed, task_named(tree, f"{payload} 2"), result={payload: [payload]}, **kept)
    said = {"message": payload, "error": payload, "reason": payload}
    end_run(failed, Status.FAILED)
    progress = {"kind": Kind.TASK_PROGRESS, "task_id": task_named(tree, "load").pk, "at": timezone.now(), "data": said}
    Event.objects.create(run=failed, seq=failed.seq + 99, **progress)
    Run.objects.filter(pk=failed.pk).update(reason=payload)
    active = start(tree)
    Task.objects.filter(pk=task_named(tree, "load").pk).update(
        status=Status.IN_PROGRESS, progress=0.5, stop_reason=payload, error=None
    )
    draft = draft_start(user=user, array=draft_from_tree(tree), what=payload)
    client = signed_in(user)
    delivery = hostile_delivery(user, tree, failed, payload)
    operation = BulkOperation.objects.create(
        actor=user, action="label", kind="trees", ids=[tree.pk], reason=payload, argument=payload[:40], total=1, done=1,
        failed=1, failures=[{"id": tree.pk, "name": payload, "message": payload}], state="done", query=f"q={payload}",
        created_at=timezone.now(),
    )  # fmt: skip
    load = task_named(tree, "load")
    chosen = {"name": payload[:100], "body": "inputs", "inputs": {str(load.pk): [payload]}}
    trigger = trigger_create(user=user, tree_id=tree.pk, fields=chosen)
    Run.objects.filter(pk__in=[failed.pk, active.pk]).update(started_via=f"trigger {payload[:100]}")
    ids = {
        "tree_id": tree.pk, "run_id": active.pk, "run_a": failed.pk, "run_b": active.pk, "task_id": load.pk,
        "webhook_id": delivery.webhook_id, "delivery_id": delivery.pk,
        "executor_id": "simulate", "draft_id": draft.pk, "kind": "trees", "hex": load.pk.hex, "payload": payload,
        "operation_id": operation.pk, "trigger_id": trigger.pk,
    }  # fmt: skip
    return payload, client, ids, (failed, active)


def hostile_delivery(user, tree, run, payload):
    """What a webhook with a hostile name was told of *run*, and its hostile answer."""
    events = ["run.failed", "task.failed"]
    webhook, _ = webhook_create(user=user, url="https://example.com/", events=events, name=payload, tree_id=tree.pk)
    reason = {"url": payload, "disabled_reason": payload, "disabled_at": timezone.now(), "active_since": run.started_at}
    Webhook.objects.filter(pk=webhook.pk).update(**reason)
    Feed().make_deliveries()
    Webhook.objects.filter(pk=webhook.pk).update(active=False)
    said = {"response_excerpt": payload, "error": payload, "state": DeliveryState.FAILED}
    WebhookDelivery.objects.update(last_at=timezone.now(), **said)
    return WebhookDelivery.objects.latest("pk")


def pages(ids):
    for pattern in page_patterns():
        address = "/" + str(pattern.pattern)
        for piece in ("int:", "str:", "uuid:"):
            address = address.replace(f"<{piece}", "{")
        for query in QUERIES.get(pattern.name, ("",)):
            yield (address.replace(">", "}") + query).format(**ids)


def test_every_page_shows_it_as_text(scene):
    payload, client, ids, (failed, _) = scene
    shown = 0
    for address in dict.fromkeys((*pages(ids), *pages(ids | {"run_id": failed.pk}))):
        for headers in ({}, HTMX):
            answer = client.get(address, headers=headers)
            assert answer.status_code in {200, 302, 400, 404, 409}, address
            html = answer.content.decode()
            check(html, payload)
            shown += MARK in html
    assert shown > 30  # the pages do show it


def test_every_fragment_of_a_socket_shows_it_as_text(scene):
    payload, _, _, runs = scene
    for each in runs:
        run = live.load_run(each.pk)
        ids = frozenset(Task.objects.filter(tree=run.tree).values_list("pk", flat=True))
        shot = graph_live.snapshot(run.pk, GraphQuery(), "", rights=EVERYTHING)
        fragments = [
            live.head_html(run), live.actions_html(run, rights=EVERYTHING),
            live.why_html(run_insight(run), allowed=True),
            live.changed_html(run, Window(), ids, ids).html, live.snapshot(run.pk, Window(), rights=EVERYTHING).html,
            shot.html, graph_live.news_html(shot.looks), notice(payload),
        ]  # fmt: skip
        assert sum(MARK in html for html in fragments) >= 4
        for html in fragments:
            check(html, payload)
