"""Saved filters and what else a person sets for themselves."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django.db import transaction

from orchestration.domain.errors import Invalid, NotFound, Problem
from orchestration.domain.json_gate import text_problem
from orchestration.domain.operations import Kind
from orchestration.models import Profile, SavedFilter
from orchestration.services import audit

MAX_NAME = 60
MAX_QUERY = 600
MAX_FILTERS = 50  # per person and list


@cache
def time_zones() -> frozenset[str]:
    """Those that this machine knows, looked up once: it means opening hundreds of files."""
    return frozenset(available_timezones())


@transaction.atomic
def filter_save(*, user: Any, page: str, name: str, query: str, default: bool = False) -> SavedFilter:
    """The filter under *name*, in place of one of that name. Raises Invalid (page, name, query, too many)."""
    name = name.strip()
    problem = text_problem(name, max_length=MAX_NAME, field="name")
    if problem is None and page not in set(Kind):
        problem = Problem("page", "only the lists of trees and runs keep filters", "unknown_page")
    if problem is None and len(query) > MAX_QUERY:
        problem = Problem("query", f"longer than {MAX_QUERY} characters: search for less", "too_long")
    mine = SavedFilter.objects.filter(user=user, page=page)
    if problem is None and mine.exclude(name=name).count() >= MAX_FILTERS:
        problem = Problem("name", f"{MAX_FILTERS} filters are kept already: forget one first", "too_many")
    if problem is not None:
        raise Invalid([problem])
    if default:
        mine.update(is_default=False)
    values = {"query": query, "is_default": default}
    saved, _ = SavedFilter.objects.update_or_create(user=user, page=page, name=name, defaults=values)
    return saved


@transaction.atomic
def filter_default(*, user: Any, filter_id: int) -> SavedFilter:
    """The filter, now what its list opens with; no longer so if it was. Raises NotFound."""
    saved = _mine(user, filter_id)
    SavedFilter.objects.filter(user=user, page=saved.page).update(is_default=False)
    saved.is_default = not saved.is_default
    saved.save(update_fields=["is_default"])
    return saved


def filter_delete(*, user: Any, filter_id: int) -> SavedFilter:
    """The filter that is gone now. Raises NotFound."""
    saved = _mine(user, filter_id)
    saved.delete()
    return saved


@transaction.atomic
def profile_save(*, user: Any, time_zone: str) -> Profile:
    """The profile with another time zone, "" for that of the server. Raises Invalid (no such zone)."""
    if time_zone and time_zone not in time_zones():
        message = f"there is no time zone '{time_zone[:60]}': choose one of the list"
        raise Invalid([Problem("time_zone", message, "unknown_zone")])
    before = Profile.objects.filter(user=user).values_list("time_zone", flat=True).first() or ""
    profile, _ = Profile.objects.update_or_create(user=user, defaults={"time_zone": time_zone})
    if before != time_zone:
        details = {"time_zone": {"before": before, "after": time_zone}}
        audit.act(actor=user, action="profile.update", target=f"user:{user.pk}", details=details)
    return profile


def tour_end(*, user: Any, done: bool = True) -> Profile:
    """The profile, with the tour put away or, *done* False, back on the overview."""
    profile, _ = Profile.objects.update_or_create(user=user, defaults={"tour_done": done})
    return profile


def _mine(user: Any, filter_id: int) -> SavedFilter:
    saved = SavedFilter.objects.filter(user=user, pk=filter_id).first()
    if saved is None:
        raise NotFound(f"no filter {filter_id}")
    return saved
