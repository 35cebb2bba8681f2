"""An application of these installations: executors that misbehave, and a disk that is full when a test says so."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.db.backends.signals import connection_created

BOUND = "most_pages"  # a file of the data directory with the pages that SQLite's file may have


class BadConfig(AppConfig):
    name = "tests.faults.bad"

    def ready(self):
        connection_created.connect(bounded)


def bounded(connection, **_):
    """SQLite says SQLITE_FULL then, as it does when the file system is full."""
    bound = settings.DATA_DIR / BOUND
    if connection.vendor == "sqlite" and bound.exists():
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA max_page_count = {int(bound.read_text())}")
