"""Triggers: what proves a request, and what its body may change. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.json_gate import safe_text
from orchestration.domain.task_fields import did_you_mean, got

WINDOW_S = 300  # a signature is good for so long, before and after its time
PAYLOAD = "payload"  # the input that takes a whole body, unless another one is chosen
HEADER = re.compile(r"t=([0-9]{1,12}), ?v1=([0-9a-f]{64})")


class Proof(StrEnum):
    """What shows that a request may start the run."""

    URL = "url"  # the address itself is the secret
    SIGNATURE = "signature"  # a header signs time and body


class BodyUse(StrEnum):
    """What becomes of the body of a request."""

    NONE = "none"  # there must be none
    PAYLOAD = "payload"  # it is the value of chosen inputs, as it is
    INPUTS = "inputs"  # its fields are the values of the chosen inputs with their names


def read_header(text: str) -> tuple[int, str] | None:
    """(time, mark) of a signature header `t=<unix>,v1=<hex>`, or None for anything else."""
    found = HEADER.fullmatch(text.strip())
    return (int(found[1]), found[2]) if found else None


def mark_of(secret: str, at: int, body: bytes) -> str:
    """What `v1` is for *body*, signed at *at* (seconds since 1970)."""
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def overrides_of(use: str, inputs: Mapping[str, Sequence[str]], body: Any) -> dict[str, dict[str, Any]]:
    """Task id -> overrides of the run that *body* asks for; None = there was no body.

    *inputs*: task id -> the names of its inputs that may be set. Raises Invalid with all problems.
    """
    if use == BodyUse.PAYLOAD:
        whole = {task: {"inputs": dict.fromkeys(names, body)} for task, names in inputs.items()}
        return {} if body is None else whole
    if body is None or body == {}:
        return {}
    if use == BodyUse.NONE:
        message = "this trigger takes no body: send none, or ask its owner to choose what a body may set"
        raise Invalid([Problem("", message, "body_not_taken")])
    if not isinstance(body, dict):
        raise Invalid([Problem("", f"expected an object, got {got(body)}", "invalid_type")])
    known = sorted({name for names in inputs.values() for name in names})
    unknown = [_unknown(name, known) for name in body if name not in known]
    if unknown:
        raise Invalid(unknown)
    chosen = {task: {name: body[name] for name in names if name in body} for task, names in inputs.items()}
    return {task: {"inputs": values} for task, values in chosen.items() if values}


def _unknown(name: str, known: list[str]) -> Problem:
    remedy = did_you_mean(name, known) or f"; this trigger sets {', '.join(known) or 'nothing any more'}"
    shown = safe_text(name, 64)
    return Problem(shown, f"unknown field '{shown}'{remedy}", "unknown_field")
