"""The door: one message or a batch in, answers out, or a stream of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.authentication import CHALLENGE, require_scope
from orchestration.api.base import ApiView
from orchestration.domain.errors import Forbidden, Invalid, NotFound, OrchestrationError
from orchestration.domain.json_gate import parse_json
from orchestration.models import ApiToken
from orchestration.models.token import ADMIN, READ
from orchestration.rpc.codes import BUSY, INTERNAL, METHOD_NOT_FOUND, PARSE, UNAUTHORIZED, Refused, error_of
from orchestration.rpc.envelope import Call, failed, id_of, read_batch, read_call, succeeded, unknown_method
from orchestration.rpc.events import stream
from orchestration.rpc.methods import EXECUTE, METHODS, Method, discovery
from orchestration.rpc.params import Params, invalid
from orchestration.services import audit, throttle
from orchestration.streams import Allowed, allowed_of

STATUSES = {INTERNAL: 500, BUSY: 503}  # of single messages; every other answer is HTTP 200
SIGN_IN = {"reason": "send Authorization: Bearer <token>, or sign in"}


class RpcView(ApiView):
    """What every address of the door has in common."""

    permission_classes = [AllowAny]  # who asks is looked at per message: the error has the message's shape
    schema = None

    def perform_content_negotiation(self, request: Request, force: bool = True) -> Any:
        return super().perform_content_negotiation(request, force=True)

    def handle_exception(self, exc: Exception) -> Response:
        """Also what happens before there is a message is told in the shape of one."""
        if isinstance(exc, exceptions.AuthenticationFailed | exceptions.NotAuthenticated):
            return _unauthorized()
        if isinstance(exc, OrchestrationError):
            return Response(failed(None, error_of(exc)), status=exc.status)
        return super().handle_exception(exc)


class Methods(RpcView):
    """GET: the methods with their parameters."""

    def get(self, request: Request) -> Response:
        return Response(discovery()) if request.user.is_authenticated else _unauthorized()


class Rpc(RpcView):
    """POST: JSON-RPC 2.0."""

    probe = False  # whether {} is answered, to anybody

    def post(self, request: Request) -> HttpResponseBase:
        try:
            message = parse_json(request._request.body, max_bytes=settings.MAX_BODY_BYTES)
        except Invalid as error:
            return Response(failed(None, error_of(Refused(PARSE, "Parse error", {"reason": error.message}))))
        if self.probe and message == {}:
            return Response(succeeded(None, {"status": "ok", "protocol": "jsonrpc"}))
        if not request.user.is_authenticated:
            return _unauthorized(id_of(message))
        return self._batch(message) if isinstance(message, list) else self._single(message)

    def _batch(self, messages: list[Any]) -> Response:
        try:
            answers = [self._answer(message, self._in_batch) for message in read_batch(messages)]
        except Refused as error:
            return Response(failed(None, error_of(error)))
        found = [answer for answer in answers if answer is not None]
        return Response(found) if found else Response(status=204)

    def _single(self, message: Any) -> HttpResponseBase:
        answer = self._answer(message, self._do)
        if answer is None:
            return Response(status=204)
        result = answer.get("result")
        if isinstance(result, dict) and result.get("streaming"):
            return self._stream(answer)
        response = Response(answer, status=STATUSES.get(answer.get("error", {}).get("code"), 200))
        if "Retry-After" in (data := answer.get("error", {}).get("data") or {}):
            response["Retry-After"] = str(data["Retry-After"])
        return response

    def _answer(self, message: Any, do: Callable[[Call], Any]) -> dict[str, Any] | None:
        """The answer to one message; None: it was a notification."""
        call = None
        try:
            call = read_call(message)
            answer = succeeded(call.id, do(call))
        except Exception as error:  # noqa: BLE001  (one bad message must not take the others of its batch with it)
            if isinstance(error, Forbidden | NotFound):
                self.note("refused", f"rpc:{call.method[:64] if call else ''}", {"code": error.code})
            told = error_of(error)
            if isinstance(error, throttle.TooMany):
                told["data"]["Retry-After"] = error.retry_after_s
            answer = failed(id_of(message), told)
        return None if call is not None and call.notification else answer

    def _in_batch(self, call: Call) -> Any:
        if call.method == EXECUTE and isinstance(call.params, dict) and call.params.get("use_streaming"):
            raise invalid("use_streaming", "a stream is no part of a batch: send this call alone", "unsupported")
        return self._do(call)

    def _do(self, call: Call) -> Any:
        method = METHODS.get(call.method)
        if method is None:
            raise Refused(METHOD_NOT_FOUND, "Method not found", unknown_method(call.method))
        params = call.params if method.raw else Params(call.params)
        creates = method.name == EXECUTE and "tasks" in params
        require_scope(self.request, ADMIN if creates else method.scope)
        if method.scope == READ:
            return method.do(self.user, params)
        result = self._write(method, params)
        if method.name == EXECUTE and params.flag("use_streaming", False) and result["success"]:
            result["streaming"] = not call.notification
        return result

    def _write(self, method: Method, params: Any) -> Any:
        with transaction.atomic():
            throttle.write_allowed(self.user)
            with audit.together() as told:
                result = method.do(self.user, params)
                if not told:
                    self.note(method.name, f"task:{_target(params, result)}", {})
        return result

    def _stream(self, answer: dict[str, Any]) -> StreamingHttpResponse:
        result = answer["result"]
        frames = stream(answer, result["run_id"], result["root_task_id"], self._still_allowed(result["run_id"]))
        response = StreamingHttpResponse(frames, content_type="text/event-stream")
        response["Cache-Control"] = "no-store"
        response["X-Accel-Buffering"] = "no"
        return response

    def _still_allowed(self, run_id: int) -> Allowed:
        """Whether who asked may go on watching, asked while the stream lasts."""
        user, request = self.user, self.request._request
        words = request.META.get("HTTP_AUTHORIZATION", "").split()
        secret = words[1] if isinstance(self.request.auth, ApiToken) else ""
        return allowed_of(user, request.session, run_id, secret)


def _target(params: Any, result: Any) -> str:
    """The id of the task that a call was about, for the audit log."""
    shown = result[0] if isinstance(result, list) and result else result
    found = (shown.get("task_id") or shown.get("id")) if isinstance(shown, dict) else None
    return str(found or (params.text("task_id", "id") if isinstance(params, Params) else ""))[:64]


def _unauthorized(call_id: Any = None) -> Response:
    error = error_of(Refused(UNAUTHORIZED, "Unauthorized", SIGN_IN))
    return Response(failed(call_id, error), status=401, headers={"WWW-Authenticate": CHALLENGE})
