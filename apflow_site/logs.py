"""Log lines: plain or JSON, always one line per record, with the id of the request they belong to."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.http import HttpRequest, HttpResponse

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")  # what a proxy may hand in
GIVEN = ("run", "task", "attempt", "worker")  # by `extra`
MAX_TEXT = 16_000  # characters of a message or traceback
SECRET_PATH = re.compile(r"(/hooks/[\w-]+/)[\w-]+")  # the end of a trigger's address opens it
BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")

_request_id: ContextVar[str] = ContextVar("request_id", default="")

Handler = Callable[[HttpRequest], HttpResponse]


def request_id() -> str:
    """The id of the request under way, "" outside of one."""
    return _request_id.get()


def without_secrets(text: str) -> str:
    """*text* with the secret addresses of triggers shortened."""
    return SECRET_PATH.sub(r"\1…", text) if "/hooks/" in text else text


class JsonFormatter(logging.Formatter):
    """One JSON object per line; ASCII only, so that no text of a user can begin a line or hide in one."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": without_secrets(record.getMessage()[:MAX_TEXT]),
        }
        if request_id := _request_id.get():
            line["request"] = request_id
        for name in GIVEN:
            if (value := getattr(record, name, None)) is not None:
                line[name] = value if isinstance(value, int) else str(value)[:MAX_TEXT]
        if record.exc_info:
            line["exception"] = without_secrets(self.formatException(record.exc_info)[-MAX_TEXT:])
        return json.dumps(line, ensure_ascii=True)


class PlainFormatter(logging.Formatter):
    """Text for people, with the ids at its end.

    Line breaks and control characters in a message are written as escapes; the lines of a traceback are moved in, so
    that none of them can pass for a record.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        ids = " ".join(f"{name}={value}" for name in GIVEN if (value := getattr(record, name, None)) is not None)
        text = without_secrets(record.message) + (f" ({ids})" if ids else "")
        record.message = BREAKS.sub(_escaped, text)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        return "\n".join(f"  {BREAKS.sub(_escaped, line)}" for line in super().formatException(ei).splitlines())


def _escaped(found: re.Match[str]) -> str:
    return repr(found.group())[1:-1]


class RequestIdMiddleware:
    """Gives each request an id: the header X-Request-ID of a proxy if it looks like one, else a new one."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid4().hex
        token = _request_id.set(request_id)
        try:
            response = self.get_response(request)
        finally:
            _request_id.reset(token)
        response["X-Request-ID"] = request_id
        return response
