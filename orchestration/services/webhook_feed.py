"""From events to deliveries: whatever a run's rows tell, each webhook that wants it gets a delivery row for.

Nothing is written when a task changes its state. Deliveries and the cursor of their run are written in one transaction
later, so an engine that is killed at any moment goes on where it was: no event is left out, none is told twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.utils import timezone

from orchestration.domain.states import RUN_END, Status
from orchestration.domain.webhooks import KIND_OF, MAX_ERROR, MAX_NAME, TOPIC_OF, Topic, body_of, bounded
from orchestration.failpoints import failpoint
from orchestration.models import Event, Run, Task, Webhook, WebhookCursor, WebhookDelivery

EVENTS = 200  # read and told in one transaction
LOOKBACK = 1000  # ids: a run may become visible after one with a higher id
ENDED: dict[str, Status] = {kind: status for status, kind in RUN_END.items()}


@dataclass(frozen=True, slots=True)
class Position:
    """A run that somebody wants to hear of."""

    run_id: int
    seq: int
    tree_id: int
    owner_id: int


class Feed:
    """Knows how far it has read. What it forgets when the process ends it reads again."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}  # run -> number of the newest event looked at
        self._floor = 0  # runs below are done
        self._wanted: tuple[Any, ...] = ()

    def make_deliveries(self) -> int:
        """Turn new events into deliveries. Returns how many; effects: one transaction per 200 events that matter."""
        webhooks = list(Webhook.objects.filter(active=True, owner__is_active=True))
        if not webhooks:
            return 0
        self._notice_changes(webhooks)
        made = 0
        open_runs = self._open_runs(webhooks)
        for position in open_runs:
            if position.seq > self._seen.get(position.run_id, -1):
                made += self._tell(position, [w for w in webhooks if _concerns(w, position)])
        self._raise_floor(open_runs)
        return made

    def _notice_changes(self, webhooks: Iterable[Webhook]) -> None:
        """Another set of webhooks may want runs that nobody wanted before."""
        wanted = tuple((w.pk, w.active_since, *w.events) for w in webhooks)
        if wanted != self._wanted:
            self._wanted, self._floor, self._seen = wanted, 0, {}

    def _open_runs(self, webhooks: Sequence[Webhook]) -> list[Position]:
        """The runs of which not everything has been told, oldest first."""
        since = min(w.active_since for w in webhooks)
        owners = [w.owner_id for w in webhooks if w.tree_id is None]
        trees = [w.tree_id for w in webhooks if w.tree_id is not None]
        told = WebhookCursor.objects.filter(run_id=OuterRef("pk"), done=True)
        runs = (
            Run.objects.filter(Q(completed_at=None) | Q(completed_at__gte=since), pk__gt=self._floor)
            .filter(Q(tree__owner__in=owners) | Q(tree__in=trees))
            .filter(~Exists(told))
        )
        rows = runs.order_by("pk").values_list("pk", "seq", "tree_id", "tree__owner_id")
        return [Position(*row) for row in rows]

    def _raise_floor(self, open_runs: Sequence[Position]) -> None:
        newest = None if open_runs else Run.objects.aggregate(newest=Max("pk"))["newest"]
        first = open_runs[0].run_id if open_runs else newest or 0
        self._floor = max(self._floor, first - LOOKBACK)
        known = {position.run_id for position in open_runs}
        self._seen = {run_id: seq for run_id, seq in self._seen.items() if run_id in known}

    def _tell(self, position: Position, webhooks: Sequence[Webhook]) -> int:
        kinds = {KIND_OF[Topic(event)] for webhook in webhooks for event in webhook.events}
        made = 0
        while True:
            if not self._worth_a_transaction(position.run_id, kinds):
                return made
            with transaction.atomic():
                more, found, upto = _tell_some(position.run_id, webhooks, kinds)
            made += found
            self._seen[position.run_id] = upto
            if not more:
                return made

    def _worth_a_transaction(self, run_id: int, kinds: Iterable[str]) -> bool:
        """Whether there is news to write down. Looks at what is new only, without a lock."""
        run = Run.objects.filter(pk=run_id).values_list("status", "seq").first()
        if run is None:
            return False
        after = self._seen.get(run_id)
        if after is None:
            after = WebhookCursor.objects.filter(pk=run_id).values_list("seq", flat=True).first() or 0
        news = run[0] != Status.IN_PROGRESS or _events(run_id, after, run[1], kinds).exists()
        if not news:
            self._seen[run_id] = run[1]
        return news


def _tell_some(run_id: int, webhooks: Sequence[Webhook], kinds: Iterable[str]) -> tuple[bool, int, int]:
    """Whether there is more to tell, the number of deliveries made, and the last event looked at. Inside the caller's
    transaction."""
    WebhookCursor.objects.get_or_create(pk=run_id)
    cursor = WebhookCursor.objects.select_for_update().get(pk=run_id)
    run = Run.objects.select_related("tree").filter(pk=run_id).first()
    if run is None or cursor.done:
        return False, 0, cursor.seq
    events = list(_events(run_id, cursor.seq, run.seq, kinds)[:EVENTS])
    more = len(events) == EVENTS
    deliveries = _deliveries(run, events, webhooks)
    WebhookDelivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    cursor.seq = events[-1].seq if more else run.seq
    cursor.done = not more and not run.is_active
    cursor.save()
    failpoint("webhook.tell")
    return more, len(deliveries), cursor.seq


def _events(run_id: int, after: int, upto: int, kinds: Iterable[str]) -> QuerySet[Event]:
    return Event.objects.filter(run_id=run_id, seq__gt=after, seq__lte=upto, kind__in=sorted(kinds)).order_by("seq")


def _concerns(webhook: Webhook, position: Position) -> bool:
    """A tree's webhook is told of it while it still has the same owner."""
    return webhook.owner_id == position.owner_id and webhook.tree_id in (None, position.tree_id)


def _deliveries(run: Run, events: Sequence[Event], webhooks: Sequence[Webhook]) -> list[WebhookDelivery]:
    now = timezone.now()
    ids = {event.task_id for event in events if event.task_id is not None}
    rows = Task.objects.filter(pk__in=ids).values_list("pk", "name", "executor")
    tasks = {pk: (name, executor) for pk, name, executor in rows}
    return [
        _delivery(run, event, webhook, tasks.get(event.task_id) if event.task_id else None, now)
        for event in events
        for webhook in webhooks
        if TOPIC_OF[event.kind] in webhook.events and event.at >= webhook.active_since
    ]  # fmt: skip


def _delivery(run: Run, event: Event, webhook: Webhook, task: tuple[str, str] | None, now: datetime) -> WebhookDelivery:
    uid = uuid.uuid4()
    topic = TOPIC_OF[event.kind]
    content = {
        "id": str(uid),
        "event": topic,
        "at": event.at.isoformat(),
        "seq": event.seq,
        "webhook": webhook.pk,
        "tree": {"id": run.tree_id, "name": bounded(run.tree.name, MAX_NAME)},
        "run": _run_content(run, event),
    }
    if event.task_id is not None:
        content["task"] = _task_content(event, task)
    return WebhookDelivery(
        uid=uid,
        webhook=webhook,
        topic=topic,
        tree_id=run.tree_id,
        run_id=run.pk,
        seq=event.seq,
        task_id=event.task_id,
        body=body_of(content),
        next_at=now,
        created_at=now,
    )


def _run_content(run: Run, event: Event) -> dict[str, Any]:
    """The run as it was at *event*; counts only once it has ended, before they are still changing."""
    ended = event.kind in ENDED
    content: dict[str, Any] = {
        "id": run.pk,
        "number": run.number,
        "mode": run.mode,
        "status": ENDED[event.kind] if ended else Status.IN_PROGRESS,
        "total": run.total,
        "path": run.get_absolute_url(),
        "started_at": run.started_at.isoformat(),
    }
    if ended:
        content |= {name: getattr(run, name) for name in ("completed", "failed", "cancelled", "blocked")}
        content["completed_at"] = event.at.isoformat()
    return content


def _task_content(event: Event, task: tuple[str, str] | None) -> dict[str, Any]:
    name, executor = task or ("", "")
    content = {
        "id": str(event.task_id),
        "name": bounded(name, MAX_NAME),
        "executor": executor,
        "attempt": event.attempt,
        "status": bounded(event.data.get("status"), MAX_NAME),
    }
    if "error" in event.data:
        content["error"] = bounded(event.data["error"], MAX_ERROR)
        content["error_code"] = bounded(event.data.get("error_code"), MAX_NAME)
    return content
