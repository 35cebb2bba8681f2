"""A database as a large installation has it after a year: a million runs, ten million events, most of them ended."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from orchestration.domain.states import Kind, Status
from orchestration.models import Run, Task, Tree
from orchestration.services.rows import db_json, db_time, db_uuid, insert_rows

TASKS = 5  # of a tree: a root and four steps
LIVE = 200  # trees with a run that goes on, if there are as many
SPAN = timedelta(days=365)
BATCH = 50_000  # runs of a transaction
OWN = 100  # every OWN-th tree belongs to the member
SEED = 7
WORDS = ("nightly", "hourly", "import", "report", "cleanup", "sync", "train", "billing")
RARE = "needle"  # in the names of three old trees
STEPS = ("fetch", "check", "load", "notify")
ROOT = {  # the id of the first task of run r's tree
    "sqlite": f"printf('%%032x', r.tree_id * {TASKS})",
    "postgresql": f"lpad(to_hex(r.tree_id * {TASKS}), 32, '0')::uuid",
}
# attempts and events are made from the runs by the database itself: many times faster than by values from here
ATTEMPTS = """INSERT INTO orchestration_attempt (task_id, run_id, number, try_number, status, executor, worker, inputs,
    provenance, error_code, traceback, log, started_at, completed_at)
  SELECT {root}, r.id, r.number, 1, r.status, 'noop', 'bench', '{{}}', '{{}}', '', '', '', r.started_at, r.completed_at
  FROM orchestration_run AS r WHERE r.id > %s AND r.id <= %s ORDER BY r.id"""
EVENTS = """INSERT INTO orchestration_event (run_id, seq, kind, task_id, attempt, at, data)
  WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {each})
  SELECT r.id, number.n,
    CASE WHEN number.n = 1 THEN '{started}' WHEN number.n = {each} AND r.status <> '{live}' THEN 'run_' || r.status
         WHEN number.n %% 2 = 0 THEN '{task_started}' ELSE '{task_completed}' END,
    CASE WHEN number.n IN (1, {each}) THEN NULL ELSE {root} END, CASE WHEN number.n IN (1, {each}) THEN NULL ELSE 1 END,
    r.started_at, '{{}}'
  FROM orchestration_run AS r CROSS JOIN number WHERE r.id > %s AND r.id <= %s ORDER BY r.id, number.n"""
# by chance of a hundred: what runs have ended as
ENDS = ((85, Status.COMPLETED), (95, Status.FAILED), (100, Status.CANCELLED))


@dataclass(frozen=True, slots=True)
class Filled:
    """What is there. *staff* sees all of it, *member* a hundredth, *guest* the three trees with a rare name."""

    staff: User
    member: User
    guest: User
    trees: int
    runs: int
    events: int
    fill_s: float


def fill(runs: int, events: int, trees: int = 0) -> Filled:
    """*runs* runs of *trees* trees (default: one for fifty runs) with *events* events in this process's database.

    Guards and constraints stay in force: every row has been inserted, none changed. The same each time, times apart.
    """
    began = time.perf_counter()
    trees = trees or max(10, runs // 50)
    users = _users()
    now = timezone.now()
    chosen = _choices(trees, runs)
    each = max(2, events // runs)
    numbers = _trees(users, trees, chosen, now)
    _runs(users, chosen, numbers, each, now)
    _tasks(trees)
    _multiply(ATTEMPTS, runs)
    _multiply(EVENTS, runs, each)
    if connection.vendor == "postgresql":  # which does so by itself, some time later
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    staff, member, guest = users
    return Filled(staff, member, guest, trees, runs, each * runs, round(time.perf_counter() - began, 1))


def _users() -> tuple[User, User, User]:
    staff = User.objects.create_superuser("bench", password=None)
    member, guest = (User.objects.create_user(name) for name in ("member", "guest"))
    for user in (member, guest):
        user.groups.add(Group.objects.get(name="operator"))
    return staff, member, guest


def _choices(trees: int, runs: int) -> list[int]:
    """The tree (0, 1, ...) of each run: some run every few minutes, most now and then, the rare ones long ago."""
    chance = random.Random(SEED)  # noqa: S311  (always the same)
    chosen = [3 + int((trees - 3) * chance.random() ** 2) for _ in range(runs)]
    for place in range(min(30, runs // 10)):
        chosen[place] = place % 3
    return chosen


def _name(tree: int) -> str:
    word = RARE if tree < 3 else WORDS[tree % len(WORDS)]
    return f"{word} {WORDS[tree // 8 % 8]} {tree:06}"


def _owner(users: tuple[User, User, User], tree: int) -> User:
    staff, member, guest = users
    return guest if tree < 3 else member if tree % OWN == 0 else staff


def _trees(users: tuple[User, User, User], trees: int, chosen: list[int], now: datetime) -> list[int]:
    """The number of each run within its tree."""
    counts = [0] * trees
    numbers = []
    for tree in chosen:
        counts[tree] += 1
        numbers.append(counts[tree])
    made, touched = db_time(now - SPAN), db_time(now)
    label = [db_json([word]) for word in WORDS]
    rows = [
        (1 + tree, _name(tree), _owner(users, tree).pk, label[tree % 8], TASKS, counts[tree], made, touched)
        for tree in range(trees)
    ]
    fields = ("id", "name", "owner", "labels", "task_count", "run_count", "created_at", "updated_at")
    with transaction.atomic():
        insert_rows(Tree, fields, rows)
        _set_sequence(Tree)
    return numbers


def _runs(users: tuple[User, User, User], chosen: list[int], numbers: list[int], each: int, now: datetime) -> None:
    fields = (
        "id", "tree", "number", "status", "started_by", "seq", "total", "running", "completed", "failed", "cancelled",
        "started_at", "completed_at",
    )  # fmt: skip
    for batch in batched(_run_rows(users, chosen, numbers, each, now), BATCH):
        with transaction.atomic():
            insert_rows(Run, fields, batch)
    _set_sequence(Run)


def _run_rows(
    users: tuple[User, User, User], chosen: list[int], numbers: list[int], each: int, now: datetime
) -> Iterator[tuple[Any, ...]]:
    chance = random.Random(SEED)  # noqa: S311  (always the same)
    step, took = SPAN / len(chosen), timedelta(seconds=40)
    live = _live(chosen)
    for place, (tree, number) in enumerate(zip(chosen, numbers, strict=True)):
        at = now - SPAN + place * step
        drawn = 100 * chance.random()
        status = next(end for limit, end in ENDS if drawn < limit)
        if place in live:
            status, counts, ended = Status.IN_PROGRESS, (1, 0, 0, 0), None
        else:
            counts = (0, *((TASKS, 0, 0) if status == Status.COMPLETED else (TASKS - 1, *_one(status))))
            ended = at + took
        who = _owner(users, tree).pk
        yield (1 + place, 1 + tree, number, status, who, each, TASKS, *counts, db_time(at), db_time(ended))


def _one(status: Status) -> tuple[int, int]:
    return (1, 0) if status == Status.FAILED else (0, 1)


def _live(chosen: list[int]) -> set[int]:
    """The runs that go on: of the LIVE trees that ran last, the newest."""
    newest: dict[int, int] = {}
    for place in range(len(chosen) - 1, -1, -1):
        newest.setdefault(chosen[place], place)
        if len(newest) == min(LIVE, max(1, len(chosen) // 20)):
            break
    return set(newest.values())


def _tasks(trees: int) -> None:
    """A root and its steps; the root of a live run is at work and its steps are ready, all others are as they ended."""
    newest = Run.objects.filter(number=F("tree__run_count")).values_list("tree_id", "pk", "status", "started_at")
    runs = {tree: (run, status, at) for tree, run, status, at in newest.iterator()}
    fields = (
        "id", "tree", "parent", "position", "depth", "name", "executor", "run", "status", "attempt", "ready_at",
        "created_at", "started_at", "completed_at", "updated_at",
    )  # fmt: skip
    rows = (row for tree in range(1, trees + 1) for row in _task_rows(tree, *runs.get(tree, (None, "", None))))
    for batch in batched(rows, BATCH):
        with transaction.atomic():
            insert_rows(Task, fields, batch)


def _task_rows(tree: int, run: int | None, status: str, at: datetime | None) -> Iterator[tuple[Any, ...]]:
    root, made = db_uuid(f"{tree * TASKS:032x}"), db_time(at or timezone.now())
    for position in range(TASKS):
        own = db_uuid(f"{tree * TASKS + position:032x}")
        name = f"{_name(tree - 1)} {STEPS[position - 1]}" if position else _name(tree - 1)
        ready, begun, ended, state = None, made, made, Status.COMPLETED
        if run is None:
            begun, ended, state = None, None, Status.PENDING
        elif status == Status.IN_PROGRESS and position:
            ready, begun, ended, state = made, None, None, Status.PENDING
        elif status == Status.IN_PROGRESS:
            ended, state = None, Status.IN_PROGRESS
        parent = root if position else None
        yield (
            own, tree, parent, position, min(position, 1), name, "noop", run, state, int(begun is not None), ready,
            made, begun, ended, made,
        )  # fmt: skip


def _multiply(statement: str, runs: int, each: int = 0) -> None:
    """What *statement* makes of every run."""
    words = {"started": Kind.RUN_STARTED, "task_started": Kind.TASK_STARTED, "task_completed": Kind.TASK_COMPLETED}
    filled = statement.format(root=ROOT[connection.vendor], each=each, live=Status.IN_PROGRESS, **words)
    for first in range(0, runs, BATCH):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(filled, [first, first + BATCH])


def _set_sequence(model: type[Tree] | type[Run]) -> None:
    """The next row of *model* gets the next id, though these were inserted with theirs."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(statement)
