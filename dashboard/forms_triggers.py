"""The form of a trigger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

from dashboard.forms import number_of
from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.triggers import BodyUse
from orchestration.services.triggers import MAX_DAYS

MAX_TEXT = 2000  # characters of a field


def posted_of(post: Mapping[str, str]) -> dict[str, str]:
    """The fields as they came, for showing them again."""
    names = ("name", "proof", "body", "task", "inputs", "per_minute", "days")
    return {name: post.get(name, "").replace("\x00", "")[:MAX_TEXT] for name in names}


def trigger_fields(post: Mapping[str, str], *, several: bool = False) -> dict[str, Any]:
    """What services take. *several*: the inputs are left as they are. Raises Invalid."""
    fields: dict[str, Any] = {"name": post.get("name", "").strip(), "per_minute": number_of(post.get("per_minute"))}
    if "proof" in post:
        fields["proof"] = post["proof"]
    if post.get("days"):
        fields["expires_at"] = _expiry(post["days"])
    if several:
        return fields
    fields["body"] = post.get("body", "")
    names = [name.strip() for name in post.get("inputs", "").split(",") if name.strip()]
    chosen = fields["body"] != BodyUse.NONE and bool(names)
    fields["inputs"] = {post.get("task", ""): names} if chosen else {}
    return fields


def _expiry(text: str) -> Any:
    days = number_of(text)
    if days is None or not 0 <= days < MAX_DAYS:
        raise Invalid([Problem("days", "choose when the trigger expires", "invalid_choice")])
    return timezone.now() + timedelta(days=days) if days else None
