"""`manage.py copy_sqlite FILE`: move an installation from SQLite to PostgreSQL."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from orchestration.domain.errors import Conflict
from orchestration.management.moving import copy_from


class Command(BaseCommand):
    help = "Copy a database of SQLite into the empty, migrated one that DATABASE_URL names. All of it, or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="such as var/apflow.sqlite3; stop the server first")

    def handle(self, *, file: str, **options: Any) -> None:
        path = Path(file).absolute()
        if not path.is_file():
            raise CommandError(f"{path} does not exist")
        try:
            counts = copy_from(path)
        except Conflict as error:
            raise CommandError(error.message) from None
        except DatabaseError as error:
            raise CommandError(f"nothing was copied: {error}") from None
        for table, rows in counts.items():
            self.stdout.write(f"{rows:>10,}  {table}")
        self.stdout.write("Copied. Check it with: manage.py verify_log, manage.py audit_verify, manage.py doctor")
