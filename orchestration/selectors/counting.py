"""Counts that stay cheap."""

from __future__ import annotations

from django.db.models import Model, QuerySet


def capped_count[M: Model](found: QuerySet[M], cap: int) -> int:
    """How many rows there are, at most *cap* + 1. One query that reads no more than that."""
    return found.order_by()[: cap + 1].count()
