"""`manage.py backup FILE`: a copy of the database, also while everything runs."""

from __future__ import annotations

import os
import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from orchestration.management.pg_tools import ToolFailed, dump


class Command(BaseCommand):
    help = (
        "Write a consistent copy of the database to FILE, also while an engine works. Never overwrites a file. "
        "On PostgreSQL by pg_dump, for pg_restore."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="path of the copy; its directory must exist")

    def handle(self, *, file: str, **options: Any) -> None:
        path = Path(file).absolute()
        if path.exists():
            raise CommandError(f"{path} exists already: name another file")
        if not path.parent.is_dir():
            raise CommandError(f"{path.parent} is no directory: make it first")
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # nobody else may read it
            _copy(draft)
            _sync(draft)
            os.link(draft, path)  # unlike a rename this never replaces a file
        except FileExistsError:
            raise CommandError(f"{path} exists already: name another file") from None
        except (DatabaseError, OSError, ToolFailed) as error:
            raise CommandError(f"cannot write {path}: {error}") from None
        finally:
            draft.unlink(missing_ok=True)
        self.stdout.write(f"Wrote {path} ({path.stat().st_size:,} bytes).")


def _copy(path: Path) -> None:
    """Into the empty file *path*."""
    if connection.vendor == "postgresql":
        dump(path)
    else:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(path)])  # an empty file is as good as none


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
