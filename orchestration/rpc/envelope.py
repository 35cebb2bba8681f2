"""JSON-RPC 2.0 messages: read with the protocol's leniency, written as the standard says.

`jsonrpc` and `id` may be missing. A message that says jsonrpc "2.0" and has no id is a notification, as in the
standard; one that says neither is a request, and is answered with id null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestration.domain.json_gate import safe_text
from orchestration.domain.task_fields import got
from orchestration.rpc.codes import INVALID_REQUEST, Refused

VERSION = "2.0"
MAX_BATCH = 100


@dataclass(frozen=True, slots=True)
class Call:
    """One message that asks for something."""

    id: Any
    method: str
    params: Any  # object or list
    notification: bool


def read_call(message: Any) -> Call:
    """The call in *message*. Raises Refused."""
    if not isinstance(message, dict):
        raise _bad("", f"expected an object, got {got(message)}")
    if "jsonrpc" in message and message["jsonrpc"] != VERSION:
        raise _bad("jsonrpc", 'expected "2.0"')
    if not isinstance(message.get("id"), str | int | float | None) or isinstance(message.get("id"), bool):
        raise _bad("id", f"expected a text, a number or null, got {got(message['id'])}")
    method = message.get("method")
    if not isinstance(method, str) or not method:
        raise _bad("method", f"expected the name of a method, got {got(method)}")
    params = {} if message.get("params") is None else message["params"]
    if not isinstance(params, dict | list):
        raise _bad("params", f"expected an object or a list, got {got(params)}")
    return Call(message.get("id"), method, params, notification="id" not in message and "jsonrpc" in message)


def read_batch(messages: list[Any]) -> list[Any]:
    """The messages of a batch. Raises Refused when there are none or too many."""
    if not messages:
        raise _bad("", "a batch needs at least one message")
    if len(messages) > MAX_BATCH:
        raise _bad("", f"{len(messages)} messages, but {MAX_BATCH} are allowed in one batch")
    return messages


def id_of(message: Any) -> Any:
    """The id to answer a bad message with: null unless it can be told."""
    found = message.get("id") if isinstance(message, dict) else None
    return found if isinstance(found, str | int | float) and not isinstance(found, bool) else None


def succeeded(call_id: Any, result: Any) -> dict[str, Any]:
    """The answer with a result."""
    return {"jsonrpc": VERSION, "id": call_id, "result": result}


def failed(call_id: Any, error: dict[str, Any]) -> dict[str, Any]:
    """The answer with an error."""
    return {"jsonrpc": VERSION, "id": call_id, "error": error}


def unknown_method(name: str) -> dict[str, str]:
    """The data of "method not found"."""
    shown = safe_text(name, 64)
    return {"reason": f"Unknown task method: {shown}", "method": shown}


def _bad(field: str, reason: str) -> Refused:
    return Refused(INVALID_REQUEST, "Invalid Request", {"field": field, "reason": reason})
