"""Reads of what a person has set for themselves."""

from __future__ import annotations

from typing import Any

from orchestration.models import Profile, SavedFilter


def filters_of(user: Any, page: str) -> list[SavedFilter]:
    """The filters that *user* keeps for a list, by name."""
    return list(SavedFilter.objects.filter(user=user, page=page))


def profile_of(user: Any) -> Profile:
    """The profile of *user*, one with nothing set if there is none yet."""
    return Profile.objects.filter(user=user).first() or Profile(user=user)
