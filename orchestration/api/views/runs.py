"""Runs: started, watched, cancelled, re-executed."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.authentication import CHALLENGE
from orchestration.api.base import ApiView, Done, only_known
from orchestration.api.bodies import CancelBody, RetryBody, RunBody
from orchestration.api.overrides import read_run_overrides
from orchestration.api.schema import FIELDS, PAGE_SIZE, described, query
from orchestration.api.shapes import AttemptShape, EventShape, EventsShape, RunDetailShape, RunShape
from orchestration.domain.errors import Invalid, Problem
from orchestration.models import Run
from orchestration.selectors import access, api_rows
from orchestration.selectors.api_lists import MAX_PAGE, PAGE, read_fields
from orchestration.selectors.events import events_page
from orchestration.services.runs import run_cancel, run_start
from orchestration.services.tokens import InvalidToken, token_user
from orchestration.streams import MAX_SEQ, clean_seq, run_events

EVENT_STREAM = "text/event-stream"


def run_done(user: Any, run: Run, **details: Any) -> Done:
    """What a request about *run* answers."""
    fresh = access.run_for_read(user, run.pk)
    return Done(RunDetailShape(fresh).data, f"run:{run.pk}", details, f"/api/v1/runs/{run.pk}/")


class RunList(ApiView):
    @described("run_list", "Runs of all trees that you may see", RunShape, listing=api_rows.RUNS)
    def get(self, request: Request) -> Response:
        return self.listed(api_rows.runs(request.user), api_rows.RUNS, RunShape)


class TreeRuns(ApiView):
    scopes = {"POST": "run"}

    @described("tree_run_list", "The runs of a tree", RunShape, listing=api_rows.RUNS)
    def get(self, request: Request, tree_id: int) -> Response:
        tree = access.tree_for_read(request.user, tree_id)
        return self.listed(api_rows.runs(request.user).filter(tree=tree), api_rows.RUNS, RunShape)

    @described("run_start", "Run a tree", RunDetailShape, status=202, body=RunBody, example={"mode": "all"})
    def post(self, request: Request, tree_id: int) -> Response:
        access.tree_for_run(request.user, tree_id)
        return _start(self, tree_id, self.body(RunBody), "run.start")


class RunDetail(ApiView):
    @described("run_get", "One run with its counts", RunDetailShape, selectable=True)
    def get(self, request: Request, run_id: int) -> Response:
        return self.shown(RunDetailShape, access.run_for_read(request.user, run_id))


class RunCancel(ApiView):
    scopes = {"POST": "run"}

    @described("run_cancel", "Cancel a run", RunDetailShape, body=CancelBody, example={"reason": "wrong inputs"})
    def post(self, request: Request, run_id: int) -> Response:
        access.run_for_cancel(request.user, run_id)
        reason = self.body(CancelBody)["reason"]
        return self.commit(
            "run.cancel",
            lambda: run_done(request.user, run_cancel(user=request.user, run_id=run_id, reason=reason)),
        )


class RunRetry(ApiView):
    scopes = {"POST": "run"}

    @described(
        "run_retry", "Re-execute: failed tasks, from or only some, or all", RunDetailShape, status=202, body=RetryBody,
        example={"mode": "failed"},
    )  # fmt: skip
    def post(self, request: Request, run_id: int) -> Response:
        run = access.run_for_run(request.user, run_id)
        return _start(self, run.tree_id, self.body(RetryBody), "run.retry")


def _start(view: ApiView, tree_id: int, asked: dict[str, Any], action: str) -> Response:
    user: Any = view.request.user
    overrides = read_run_overrides(tree_id, asked["overrides"])

    def do() -> Done:
        run = run_start(user=user, tree_id=tree_id, mode=asked["mode"], chosen=asked["chosen"], overrides=overrides)
        return run_done(user, run, tree=tree_id, mode=asked["mode"])

    return view.commit(action, do, status=202)


class RunAttempts(ApiView):
    @described("run_attempt_list", "The attempts of a run", AttemptShape, listing=api_rows.ATTEMPTS)
    def get(self, request: Request, run_id: int) -> Response:
        run = access.run_for_read(request.user, run_id)
        return self.listed(api_rows.attempts(request.user).filter(run=run), api_rows.ATTEMPTS, AttemptShape)


class RunEvents(ApiView):
    @described(
        "event_list", "The events of a run after a number; with Accept: text/event-stream a live stream", EventsShape,
        parameters=[
            query("after", "Number of the last event that you have", "integer", minimum=0, maximum=MAX_SEQ),
            PAGE_SIZE,
            FIELDS,
        ],
    )  # fmt: skip
    def get(self, request: Request, run_id: int) -> Response:
        access.run_for_read(request.user, run_id)
        only_known(request, "after", "page_size", "fields")
        params = request.query_params
        fields = read_fields(params, EventShape.names())
        after, size = clean_seq(params.get("after", ""), "after"), params.get("page_size", str(PAGE))
        if not (size.isascii() and size.isdecimal() and len(size) < 4 and 1 <= int(size) <= MAX_PAGE):
            raise Invalid([Problem("page_size", f"page_size is a whole number from 1 to {MAX_PAGE}", "out_of_range")])
        page = events_page(run_id, after, int(size))
        following = None
        if page.more:
            more = params.copy()
            more["after"] = str(page.events[-1]["seq"])
            following = f"{request.path}?{more.urlencode()}"
        items = [e if fields is None else {name: e[name] for name in fields} for e in page.events]
        return Response({"items": items, "next": following, "ended": page.ended})


_event_list = RunEvents.as_view()


@login_not_required
async def events(request: HttpRequest, run_id: int) -> HttpResponseBase:
    """The run's events: as a live stream to whoever accepts one, else a page of them."""
    if request.method != "GET" or EVENT_STREAM not in request.headers.get("Accept", ""):
        listed: HttpResponseBase = await sync_to_async(_event_list)(request, run_id=run_id)
        return listed
    words, secret = request.headers.get("Authorization", "").split(), ""
    if len(words) == 2 and words[0].lower() == "bearer":
        try:
            secret = words[1]
            user, _ = await database_sync_to_async(token_user)(secret)
        except InvalidToken as refused:
            error = {"code": refused.code, "message": refused.message, "field": ""}
            headers = {"WWW-Authenticate": CHALLENGE}
            return JsonResponse({"error": error}, status=refused.status, headers=headers)

        async def auser() -> Any:
            return user

        request.auser = auser
    return await run_events(request, run_id, secret)


events.cls = RunEvents  # type: ignore[attr-defined]  # so that the description of the API knows it
events.initkwargs = {}  # type: ignore[attr-defined]
