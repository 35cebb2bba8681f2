"""A run's events for programs: followed without gaps from any number, and served as Server-Sent Events."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from channels.db import database_sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, get_user_model
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_GET

from orchestration.domain.errors import Invalid, NotFound, OrchestrationError, Problem
from orchestration.feeds import Frame, subscribe
from orchestration.models import Run
from orchestration.selectors.access import run_for_read
from orchestration.selectors.events import EventPage, events_page
from orchestration.services import audit
from orchestration.services.tokens import InvalidToken, token_user

MAX_SEQ = 2**62
QUIET_S = 2.0  # longest wait before the rows are looked at again, nudge or not
RECHECK_S = 3.0  # how often rights are looked at again: what is taken away ends a stream within 5 seconds
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


def signed_in(user: Any, session: Any) -> Any:
    """*user*, read anew; None when the account or *session* (None: not signed in by one) has ended meanwhile.

    A session ends by logout, expiry and a changed password.
    """
    fresh = get_user_model().objects.filter(pk=user.pk, is_active=True).first()
    if fresh is None or session is None or not session.session_key:
        return fresh
    stored = session.__class__(session.session_key).load()  # type() of a lazy session is not its class
    proof = str(stored.get(HASH_SESSION_KEY, ""))
    return fresh if constant_time_compare(proof, fresh.get_session_auth_hash()) else None


def may_read(user: Any, session: Any, run_id: int, secret: str = "") -> bool:
    """Whether *user*, read anew, is still signed in by *session*, or by the token *secret*, and may see the run."""
    try:
        fresh = token_user(secret)[0] if secret else signed_in(user, session)
    except InvalidToken:
        return False
    if fresh is None:
        return False
    try:
        run_for_read(fresh, run_id)
    except NotFound:
        return False
    return True


async def follow(run_id: int, after: int, allowed: Callable[[], bool]) -> AsyncGenerator[list[dict[str, Any]]]:
    """The events after *after*, in order and without gaps, in lists of at most 100; ends after the run's last one.

    An empty list is a sign of life, at least every 2 seconds. *allowed* (called in a thread) is asked every 3 seconds.
    Raises AccessLost when it says no, NotFound when the run is gone.
    """
    checked = time.monotonic()
    try:
        async with subscribe(run_id) as news:  # first: what is committed after this shows up there
            frame: Frame | None = None
            while True:
                page = await _read(run_id, after, frame)
                if page.events:
                    after = page.events[-1]["seq"]
                yield page.events
                if page.ended:
                    return
                left = max(0.0, checked + RECHECK_S - time.monotonic())
                frame = None if page.more else await news.next(timeout=min(QUIET_S, left))
                if time.monotonic() - checked >= RECHECK_S:
                    checked = time.monotonic()
                    if not await database_sync_to_async(allowed)():
                        raise AccessLost
    except Run.DoesNotExist:
        raise NotFound(f"no run {run_id}") from None


async def _read(run_id: int, after: int, frame: Frame | None) -> EventPage:
    """A page; viewers that got the same news and are equally far share one reading."""
    if frame is None:
        fresh: EventPage = await database_sync_to_async(events_page)(run_id, after)
        return fresh
    page: EventPage = await frame.once(f"events {after}", lambda: database_sync_to_async(events_page)(run_id, after))
    return page


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
    events = _lines(follow(run_id, after, lambda: may_read(user, request.session, run_id, secret)))
    response = StreamingHttpResponse(events, content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _lines(pages: AsyncGenerator[list[dict[str, Any]]]) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    spoke = time.monotonic()
    with contextlib.suppress(AccessLost, NotFound):  # a client that reconnects gets the refusal
        async with contextlib.aclosing(pages):
            async for events in pages:
                if events:
                    yield "".join(_block(event) for event in events)
                elif time.monotonic() - spoke >= KEEPALIVE_S:
                    yield ": keep-alive\n\n"
                else:
                    continue
                spoke = time.monotonic()


def _block(event: dict[str, Any]) -> str:
    # json.dumps leaves no line break in the text, so no value can end the block early
    return f"id: {event['seq']}\nevent: {event['kind']}\ndata: {json.dumps(event)}\n\n"


def _refusal(status: int, code: str, message: str, field: str = "") -> JsonResponse:
    return JsonResponse({"error": {"code": code, "message": message, "field": field}}, status=status)
