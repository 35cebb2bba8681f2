"""The checks of `manage.py doctor`: each looks at one thing and says what to do about it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Exists, Max, OuterRef
from django.utils import timezone

from orchestration import guards
from orchestration.conf import conf
from orchestration.domain.states import Status
from orchestration.management.reach import REMEDY, unreachable
from orchestration.models import Attempt, Event, Run, Task
from orchestration.selectors.event_log import gaps
from orchestration.selectors.metrics import heartbeat_age_s
from orchestration.services import audit

MIB = 1024 * 1024
FULL_BYTES, SCARCE_BYTES = 200 * MIB, 1024 * MIB
STUCK = timedelta(minutes=10)
NEWEST_RUNS = 100
SHOWN = 10
SYNCHRONOUS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}
WAL_RESET_FIXED = {(3, 44, 6), (3, 50, 7)}
EPOCH = datetime(2025, 1, 1, tzinfo=UTC)  # a clock that shows less was never set
BACKWARDS = timedelta(seconds=5)


class Level(StrEnum):
    """How good it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the table. *remedy*: what to do, unless all is well."""

    name: str
    state: Level
    found: str
    remedy: str = ""


def diagnose() -> list[Check]:
    """All checks; one that cannot be made has failed."""
    if problem := unreachable():
        local = [_made(name, CHECKS[name]) for name in WITHOUT_DATABASE]
        return [*local, Check("database", Level.FAIL, problem, REMEDY)]
    return [_made(name, check) for name, check in CHECKS.items()]


def wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Whether this SQLite may damage a database in WAL mode when two connections start it anew at once."""
    return (3, 7, 0) <= version <= (3, 51, 2) and version not in WAL_RESET_FIXED


def _made(name: str, check: Callable[[], tuple[Level, str, str]]) -> Check:
    try:
        level, found, remedy = check()
    except (DatabaseError, OSError) as error:
        level, found, remedy = Level.FAIL, f"cannot be checked: {error}", "Run manage.py up once, or restore a backup."
    return Check(name, level, found, "" if level == Level.OK else remedy)


def _judged(good: bool, found: str, remedy: str, bad: Level = Level.FAIL) -> tuple[Level, str, str]:
    return (Level.OK if good else bad), found, remedy


def _python() -> tuple[Level, str, str]:
    return _judged(sys.version_info >= (3, 12), sys.version.split()[0], "Install Python 3.12 or newer.")


def _sqlite() -> tuple[Level, str, str]:
    if connection.vendor != "sqlite":
        return Level.OK, f"not used: {connection.vendor}", ""
    remedy = "Rare damage of a WAL database is possible: use a Python with SQLite 3.51.3 or newer; keep backups."
    return _judged(not wal_reset_bug(sqlite3.sqlite_version_info), sqlite3.sqlite_version, remedy, Level.WARN)


def _database() -> tuple[Level, str, str]:
    if connection.vendor != "sqlite":
        return Level.OK, f"PostgreSQL {_rows('SHOW server_version')[0][0]} answers", ""
    problems = [str(row[0]) for row in _rows("PRAGMA quick_check(5)")]
    return _judged(problems == ["ok"], "; ".join(problems)[:300], "Stop the server and restore the newest backup.")


def _synchronous() -> tuple[Level, str, str]:
    if connection.vendor != "sqlite":
        off = [name for name in ("fsync", "synchronous_commit") if _rows(f"SHOW {name}")[0][0] == "off"]
        return _judged(
            not off, f"{' and '.join(off)} off" if off else "on", f"Switch on: {', '.join(off)}.", Level.WARN
        )
    level = SYNCHRONOUS.get(int(str(_rows("PRAGMA synchronous")[0][0])), "unknown")
    remedy = "A power cut can lose the newest commits: unset APFLOW_SQLITE_SYNCHRONOUS."
    return _judged(level in {"FULL", "EXTRA"}, level, remedy, Level.WARN)


def _triggers() -> tuple[Level, str, str]:
    gone = guards.missing(connection)
    found = f"missing: {', '.join(gone)}" if gone else f"all {len(guards.GUARDS)} present"
    return _judged(not gone, found, "Start manage.py up: it puts them back.")


def _permissions() -> tuple[Level, str, str]:
    path: Path = settings.DATA_DIR
    if not path.is_dir():
        return Level.FAIL, f"{path} is missing", "Start manage.py up: it makes it."
    if not os.access(path, os.W_OK | os.X_OK):
        return Level.FAIL, f"{path} cannot be written", "Give it to the user of the server."
    mode = path.stat().st_mode & 0o777
    private = os.name != "posix" or not mode & 0o077
    return _judged(private, f"{path}, mode {mode:o}", f"Others may read it: chmod 700 {path}", Level.WARN)


def _disk() -> tuple[Level, str, str]:
    free = shutil.disk_usage(settings.DATA_DIR).free
    bad = Level.FAIL if free < FULL_BYTES else Level.WARN
    return _judged(free >= SCARCE_BYTES, f"{free // MIB:,} MiB free", "Make room, or run manage.py prune.", bad)


def _engine() -> tuple[Level, str, str]:
    age = heartbeat_age_s(timezone.now())
    found = "none" if age is None else f"last sign of life {age:.0f} s ago"
    waiting = Run.objects.filter(status=Status.IN_PROGRESS).exists()
    bad = Level.FAIL if waiting else Level.WARN
    return _judged(age is not None and age <= conf().lease_s, found, "Start manage.py up, without --no-engine.", bad)


def _stuck() -> tuple[Level, str, str]:
    """Active runs in which nothing runs, waits for a slot or for a retry, and that have told nothing for long."""
    since = timezone.now() - STUCK
    may_move = Task.objects.filter(run=OuterRef("pk"), status=Status.PENDING, blocked_by=None)
    works = Attempt.objects.filter(run=OuterRef("pk"), status=Status.IN_PROGRESS)
    recent = Event.objects.filter(run=OuterRef("pk"), seq=OuterRef("seq"), at__gte=since)
    active = Run.objects.filter(status=Status.IN_PROGRESS, started_at__lt=since)
    still = active.filter(~Exists(works), ~Exists(recent))
    retrying = may_move.filter(retry_at__isnull=False)
    found = list(still.exclude(Exists(retrying)).values_list("pk", flat=True)[:SHOWN])
    return _judged(
        not found, _listed(found), "Is an engine alive? Then cancel these runs and start them again.", Level.WARN
    )


def _event_log() -> tuple[Level, str, str]:
    return _judged(not (found := gaps(NEWEST_RUNS)), _listed(found), "See manage.py verify_log; restore a backup.")


def _audit_log() -> tuple[Level, str, str]:
    found = audit.faults()
    return _judged(
        not found, "; ".join(found)[:300] or audit.head_text()[:40], "Somebody changed it: see audit_verify."
    )


def _clock() -> tuple[Level, str, str]:
    now = timezone.now()
    newest = Run.objects.aggregate(at=Max("started_at"))["at"]
    back = newest is not None and newest > now + BACKWARDS
    found = f"{now:%Y-%m-%d %H:%M:%S} UTC" + (", before the newest run" if back else "")
    return _judged(now > EPOCH and not back, found, "Set the clock, best with NTP.")


def _rows(query: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def _listed(runs: list[int]) -> str:
    more = len(runs) - SHOWN
    return "runs " + ", ".join(map(str, runs[:SHOWN])) + (f" and {more} more" if more > 0 else "") if runs else "none"


WITHOUT_DATABASE = ("python", "data directory", "disk")
CHECKS: dict[str, Callable[[], tuple[Level, str, str]]] = {
    "python": _python,
    "sqlite": _sqlite,
    "database": _database,
    "synchronous": _synchronous,
    "triggers": _triggers,
    "data directory": _permissions,
    "disk": _disk,
    "engine": _engine,
    "stuck runs": _stuck,
    "event log": _event_log,
    "audit log": _audit_log,
    "clock": _clock,
}
