"""A run's events for programs: followed without gaps from any number, and served as Server-Sent Events."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from channels.db import database_sync_to_async
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_GET

from orchestration.domain.errors import Invalid, NotFound, OrchestrationError, Problem
from orchestration.feeds import Frame, Subscription, subscribe
from orchestration.models import Run
from orchestration.rechecks import Recheck
from orchestration.selectors.access import run_for_read
from orchestration.selectors.events import EventPage, events_page
from orchestration.selectors.sights import Watcher
from orchestration.services import audit
from orchestration.services.tokens import InvalidToken, token_user

MAX_SEQ = 2**62
QUIET_S = 2.0  # longest wait before the rows are looked at again, nudge or not
RECHECK_S = 3.0  # how often rights are looked at again: what is taken away ends a stream within 5 seconds
MAX_FRAME = 256 * 1024  # characters of a socket's message; more events are sent in several
KEEPALIVE_S = 15.0  # so that proxies do not take a quiet stream for a dead one


class AccessLost(Exception):
    """The viewer may not see this run any more."""


def clean_seq(text: str, field: str) -> int:
    """*text* as an event number, 0 if it is empty. Raises Invalid."""
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) < 20) or int(text) > MAX_SEQ:
        message = "expected the number of the last event that you have, such as 0 or 17"
        raise Invalid([Problem(field, message, "invalid_type")])
    return int(text)


type Allowed = Watcher | Callable[[], bool]


def watcher_of(user: Any, session: Any) -> Watcher:
    """*user*, signed in by *session* (None: by none)."""
    return Watcher(user.pk, (session.session_key or "") if session is not None else "")


def allowed_of(user: Any, session: Any, run_id: int, secret: str = "") -> Allowed:
    """What `follow` asks whether *user* may go on watching: signed in by *session*, or by the token *secret*."""
    return (lambda: _token_sees(secret, run_id)) if secret else watcher_of(user, session)


def _token_sees(secret: str, run_id: int) -> bool:
    try:
        run_for_read(token_user(secret)[0], run_id)
    except (InvalidToken, NotFound):
        return False
    return True


@dataclass(eq=False, frozen=True)
class Told:
    """Events to be sent, oldest first, and their forms on the wire, each made once for all who get them."""

    page: EventPage

    @property
    def events(self) -> list[dict[str, Any]]:
        return self.page.events

    @cached_property
    def texts(self) -> list[str]:
        """Each event as JSON text."""
        return [json.dumps(event) for event in self.events]

    @cached_property
    def frames(self) -> list[tuple[str, int]]:
        """The messages of a socket, with the number of the last event in each."""
        frames: list[tuple[str, int]] = []
        start = size = 0
        for place, text in enumerate(self.texts):
            if place > start and size + len(text) > MAX_FRAME:
                frames.append(self._frame(start, place))
                start, size = place, 0
            size += len(text)
        return [*frames, self._frame(start, len(self.texts))] if self.texts else []

    @cached_property
    def blocks(self) -> str:
        """As Server-Sent Events."""
        # json.dumps leaves no line break in the text, so no value can end the block early
        pairs = zip(self.events, self.texts, strict=True)
        return "".join(f"id: {event['seq']}\nevent: {event['kind']}\ndata: {text}\n\n" for event, text in pairs)

    def _frame(self, start: int, end: int) -> tuple[str, int]:
        seq = self.events[end - 1]["seq"]
        return f'{{"events": [{", ".join(self.texts[start:end])}]}}', seq


async def follow(run_id: int, after: int, allowed: Allowed) -> AsyncGenerator[Told]:
    """The events after *after*, in order and without gaps, at most 100 at a time; ends after the run's last one.

    Nothing told is a sign of life, at least every 2 seconds; *allowed* is asked every 3 seconds. Raises AccessLost when
    it says no, NotFound when the run is gone.
    """
    try:
        # first: what is committed after this shows up there
        async with subscribe(run_id, drawn=False) as news:
            with Recheck(lambda: _still(news, allowed), RECHECK_S) as recheck:
                frame: Frame | None = None
                while True:
                    told = await _read(run_id, after, frame, news)
                    if told.events:
                        after = told.events[-1]["seq"]
                    yield told
                    if told.page.ended:
                        return
                    if not told.page.more:
                        frame = await news.next(timeout=min(QUIET_S, recheck.patience))
                    if recheck.answer() is False:
                        raise AccessLost
    except Run.DoesNotExist:
        raise NotFound(f"no run {run_id}") from None


async def _still(news: Subscription, allowed: Allowed) -> bool:
    if isinstance(allowed, Watcher):
        return (await news.sights.ask(allowed)).read
    return bool(await database_sync_to_async(allowed)())


async def _read(run_id: int, after: int, frame: Frame | None, news: Subscription) -> Told:
    """The next events; viewers that are equally far share one reading."""

    async def read() -> Told:
        return Told(await database_sync_to_async(events_page)(run_id, after))

    key = f"events {after}"
    return await (news.fresh.get(key, read) if frame is None else frame.once(key, read))


@login_not_required
@require_GET
async def run_events(request: HttpRequest, run_id: int, secret: str = "") -> HttpResponse | StreamingHttpResponse:
    """The run's events as text/event-stream: id is the number, event the kind, data the JSON.
    *secret*: of the token that request.auser() stands for; without one it is the session's.

    Resumes after header Last-Event-ID or query `after`; ends after the run's last event. Answers 401 without a login,
    404 for a run that the user may not know of, 400 for a number that is none; each as {"error": {...}}.
    """
    user = await request.auser()
    if not user.is_authenticated:
        return _refusal(401, "not_authenticated", "sign in first")
    try:
        header = request.headers.get("Last-Event-ID", "")
        after = clean_seq(header or request.GET.get("after", ""), "Last-Event-ID" if header else "after")
        await database_sync_to_async(run_for_read)(user, run_id)
    except OrchestrationError as error:
        if isinstance(error, NotFound):
            target = f"GET {request.path}"
            await database_sync_to_async(audit.refused)(user=user, target=target, code=error.code)
        return _refusal(error.status, error.code, error.message, error.field)
    events = _lines(follow(run_id, after, allowed_of(user, request.session, run_id, secret)))
    response = StreamingHttpResponse(events, content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _lines(pages: AsyncGenerator[Told]) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    spoke = time.monotonic()
    with contextlib.suppress(AccessLost, NotFound):  # a client that reconnects gets the refusal
        async with contextlib.aclosing(pages):
            async for told in pages:
                if told.events:
                    yield told.blocks
                elif time.monotonic() - spoke >= KEEPALIVE_S:
                    yield ": keep-alive\n\n"
                else:
                    continue
                spoke = time.monotonic()


def _refusal(status: int, code: str, message: str, field: str = "") -> JsonResponse:
    return JsonResponse({"error": {"code": code, "message": message, "field": field}}, status=status)
