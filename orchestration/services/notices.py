"""PostgreSQL channels that wake other processes. A lost notice costs half a second, never a change."""

from __future__ import annotations

from django.db import connection

from orchestration.publishing import NEWS

__all__ = ["JOBS", "NEWS", "REPORTS", "announce", "notify"]

REPORTS = "apflow_reports"  # a worker has reported: for engines
JOBS = "procrastinate_any_queue_v1"  # an engine has handed something out: for workers; the library's own name


def notify(channel: str) -> None:
    """Wake who listens to *channel*, once the current transaction has committed. Nothing on other databases."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [channel])


def announce() -> None:
    """Wake engines and workers: there is something to look at."""
    notify(NEWS)
