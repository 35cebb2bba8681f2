"""System checks: of the tables (`check --database default`), and of what must be so before anything starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from orchestration import guards
from orchestration.conf import conf
from orchestration.services.secret_keys import key_file

OTHERS, GROUP = 0o007, 0o077
MIGRATION = ("orchestration", "0003_guards")


@register(Tags.database)
def check_guards(*, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """A warning (an error would keep `migrate` from mending it) when triggers are gone that 0003 has made."""
    return [message for alias in databases or () for message in _check_one(alias)]


def _check_one(alias: str) -> list[CheckMessage]:
    connection = connections[alias]
    if MIGRATION not in MigrationRecorder(connection).applied_migrations():
        return []
    missing = guards.missing(connection)
    if not missing:
        return []
    hint = "Call orchestration.guards.install(connection); `manage.py up` does it."
    return [Warning(f"The database lacks the triggers {', '.join(missing)}.", hint=hint, id="orchestration.W001")]


@register(Tags.security)
def check_start(**_: Any) -> list[CheckMessage]:
    """What makes every command that serves or works refuse to start: commands as root, files that others can read."""
    if os.name != "posix":
        return []
    return [*_commands_as_root(), *_open_files()]


def _commands_as_root() -> list[CheckMessage]:
    if os.geteuid() != 0 or not conf().command_enabled:
        return []
    hint = "Run the service as a user of its own, or unset APFLOW_COMMAND_ENABLED."
    return [Error("Commands are allowed and would run as root.", hint=hint, id="orchestration.E001")]


def _open_files() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    keys = key_file()
    if keys.exists() and keys.stat().st_mode & GROUP:
        hint = f"chmod 600 {keys}, then `manage.py rotate_secrets`: who has read it can read old backups."
        found.append(Error("The keys of the secrets can be read by others.", hint=hint, id="orchestration.E002"))
    name = settings.DATABASES["default"]["NAME"]
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3") and _is_open(Path(name)):
        hint = f"chmod 700 {Path(name).parent}"
        found.append(Error("The database can be read by others.", hint=hint, id="orchestration.E003"))
    return found


def _is_open(file: Path) -> bool:
    """Whether other users of this machine can read *file*, or could if it were made now as files usually are."""
    reachable = all(folder.exists() and folder.stat().st_mode & 0o001 for folder in file.resolve().parents)
    return reachable and (not file.exists() or bool(file.stat().st_mode & OTHERS))
