"""Webhooks: what can be told, how it is signed and when it is tried again. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from orchestration.domain.json_gate import safe_text
from orchestration.domain.states import Kind

SIGNATURE = "X-Apflow-Signature"
MAX_NAME, MAX_ERROR, MAX_EXCERPT = 200, 1000, 1000  # characters
JITTER = 0.2  # a pause is up to so much longer or shorter, so that deliveries which failed together do not return so


class Topic(StrEnum):
    """What a webhook can be told."""

    RUN_STARTED = "run.started"
    RUN_COMPLETED = "run.completed"
    RUN_FAILED = "run.failed"
    RUN_CANCELLED = "run.cancelled"
    TASK_COMPLETED = "task.completed"
    TASK_FAILED = "task.failed"
    TASK_CANCELLED = "task.cancelled"
    PING = "ping"  # the test: sent on request only


class DeliveryState(StrEnum):
    """How far a delivery is."""

    PENDING = "pending"  # not sent yet, or to be tried again
    DELIVERED = "delivered"
    FAILED = "failed"  # given up


TOPIC_OF: dict[str, Topic] = {
    Kind.RUN_STARTED: Topic.RUN_STARTED,
    Kind.RUN_COMPLETED: Topic.RUN_COMPLETED,
    Kind.RUN_FAILED: Topic.RUN_FAILED,
    Kind.RUN_CANCELLED: Topic.RUN_CANCELLED,
    Kind.TASK_COMPLETED: Topic.TASK_COMPLETED,
    Kind.TASK_FAILED: Topic.TASK_FAILED,
    Kind.TASK_CANCELLED: Topic.TASK_CANCELLED,
}
KIND_OF = {topic: kind for kind, topic in TOPIC_OF.items()}
TOPICS = tuple(TOPIC_OF.values())  # the ones that a webhook may choose
DEFAULT_TOPICS = (Topic.RUN_COMPLETED, Topic.RUN_FAILED, Topic.RUN_CANCELLED)


def signature(secrets: Iterable[str], timestamp: int, body: str) -> str:
    """The value of the signature header: `t=<unix>,v1=<hex>`, with one v1 per secret."""
    told = f"{timestamp}.{body}".encode()
    marks = [hmac.new(secret.encode(), told, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={mark}" for mark in marks)])


def pause_s(attempts: int, pauses_s: Sequence[float], chance: Callable[[], float]) -> float | None:
    """Seconds until the next try after *attempts* tries, or None to give up. *chance*: a number from 0 to 1."""
    if attempts > len(pauses_s):
        return None
    return pauses_s[attempts - 1] * (1 + JITTER * (2 * chance() - 1))


def body_of(content: Mapping[str, Any]) -> str:
    """*content* as the text that is sent: the same one at each try, since the signature covers it."""
    return json.dumps(content, ensure_ascii=True, separators=(",", ":"))


def bounded(text: Any, most: int) -> str:
    """*text* of unknown origin, printable and at most so long."""
    return safe_text(str(text or ""), most)
