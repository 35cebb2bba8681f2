"""What the nursery calls inside an installation: prepare it, act as a person, judge what came of it."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Count, Max, Min

from orchestration.builders.array import tree_from_array
from orchestration.domain.states import Kind, Status
from orchestration.models import Attempt, Event, Run, Task, Tree
from orchestration.selectors.event_log import run_faults
from orchestration.services.runs import run_cancel, run_start, task_cancel
from orchestration.services.tokens import token_create
from orchestration.soak.trees import random_plan

NAME = "soak"
SHOWN = 50


def prepare() -> str:
    """The secret of a token that may do everything, of a new user."""
    user = User.objects.create_superuser(NAME, password=None)
    return token_create(user=user, name=NAME, scope="admin")[1]


def start(tasks: list[dict[str, Any]]) -> int:
    """The id of a run of a new tree of *tasks*."""
    user = User.objects.get(username=NAME)
    return run_start(user=user, tree_id=tree_from_array(owner=user, data=tasks).pk).pk


def feed(seed: str, effects: str, backlog: int) -> list[tuple[str, int, str]]:
    """(name, run, how it must end) of new runs: as many as are missing, so that *backlog* of them have not ended.

    May be repeated with the same *seed* when it failed: what was made then is told, too, and not made again.
    """
    user = User.objects.get(username=NAME)
    made = Tree.objects.filter(name__startswith=f"{seed}-").count()
    started = []
    for number in range(max(made, backlog - open_runs())):
        plan = random_plan(random.Random(f"{seed} {number}"), f"{seed}-{number}", effects)  # noqa: S311
        tree = Tree.objects.filter(name=plan.name).first() or tree_from_array(owner=user, data=plan.tasks)
        run = Run.objects.filter(tree=tree).first() or run_start(user=user, tree_id=tree.pk)
        started.append((plan.name, run.pk, plan.ends))
    return started


def cancel(run_id: int) -> str:
    """The status of the run that was asked to stop."""
    return str(run_cancel(user=User.objects.get(username=NAME), run_id=run_id).status)


def cancel_task(run_id: int, name: str) -> str:
    """The status of the task that was asked to stop."""
    task = Task.objects.get(run=run_id, name=name)
    return str(task_cancel(user=User.objects.get(username=NAME), task_id=task.pk).status)


def open_runs() -> int:
    """How many runs have not ended."""
    return Run.objects.filter(status=Status.IN_PROGRESS.value).count()


def judge(effects: str, accepted: dict[str, list[str]] | None, names: list[str] | None) -> dict[str, Any]:
    """What is wrong, in words (`faults`), and figures.

    *effects*: the file that tasks have written to. *accepted*: run id -> how it may have ended, of every run that
    somebody was told of; *names*: of every tree. None: not known, whatever there is counts as accepted.
    """
    faults = [f"run {pk}: {text}" for pk in Run.objects.values_list("pk", flat=True) for text in run_faults(pk) or ()]
    faults += _numbers() + _commits() + _left_over() + _integrity()
    faults += _effects(effects) + ([] if accepted is None else _accepted(accepted)) + _trees(names)
    return {"faults": faults[:SHOWN], "wrong": len(faults)} | _figures(effects)


def _figures(effects: str) -> dict[str, Any]:
    codes = Counter(Attempt.objects.order_by().values_list("error_code", flat=True))
    ends = Counter(Run.objects.order_by().values_list("status", flat=True))
    return {
        "runs": dict(ends),
        "attempts": Attempt.objects.count(),
        "committed": Attempt.objects.filter(status=Status.COMPLETED).exclude(executor="").count(),
        "effects": sum(_marks(effects).values()),
        "events": Event.objects.count(),
        "interrupted": {code: count for code, count in codes.items() if code},
    }


def _numbers() -> list[str]:
    rows = Event.objects.order_by().values("run_id").annotate(n=Count("pk"), low=Min("seq"), high=Max("seq"))
    seen = {row["run_id"]: (row["n"], row["low"], row["high"]) for row in rows}
    runs = Run.objects.filter(seq__gt=0).values_list("pk", "seq")  # those of archives have no events
    return [f"run {pk}: {seq} events expected, (count, first, last) is {seen.get(pk)}" for pk, seq in runs
            if seen.get(pk) != (seq, 1, seq)]  # fmt: skip


def _commits() -> list[str]:
    """Nothing may be committed twice: neither by events nor by attempts."""
    events = Event.objects.filter(kind=Kind.TASK_COMPLETED.value).order_by().values_list("run_id", "task_id")
    done = Attempt.objects.filter(status=Status.COMPLETED.value, run__seq__gt=0)  # those of archives are copies
    attempts = done.order_by().values_list("run_id", "task_id")
    told, stored = Counter(events), Counter(attempts)
    differ = (told - stored) + (stored - told)
    twice = [f"task {task} of run {run} was committed {n} times" for (run, task), n in (told | stored).items() if n > 1]
    apart = [f"task {task} of run {run}: its events and its attempts do not agree" for run, task in differ]
    return twice + apart


def _left_over() -> list[str]:
    live = Attempt.objects.filter(status=Status.IN_PROGRESS.value).count()
    runs = list(Run.objects.filter(status=Status.IN_PROGRESS.value).values_list("pk", flat=True))
    found = [f"{live} attempts are still in progress"] if live else []
    return found + ([f"runs {runs} have not ended"] if runs else [])


def _integrity() -> list[str]:
    if connection.vendor != "sqlite":
        return []
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA integrity_check")
        return [str(row[0]) for row in cursor.fetchall() if row[0] != "ok"]


def _effects(path: str) -> list[str]:
    """Each commit has left a line, and no line comes from an attempt that nobody has started."""
    marks = _marks(path)
    started = Counter(f"{run}:{task.hex}" for run, task in Attempt.objects.order_by().values_list("run_id", "task_id"))
    done = {
        f"{run}:{task.hex}": name
        for run, task, name in Attempt.objects.filter(
            status=Status.COMPLETED.value, executor__startswith=NAME, run__seq__gt=0
        ).values_list("run_id", "task_id", "task__name")
    }
    missing = [f"{key} ({name}) was committed and has had no effect" for key, name in done.items() if not marks[key]]
    extra = [f"{key} has had {n} effects in {started[key]} attempts" for key, n in marks.items() if n > started[key]]
    return missing + extra


def _marks(path: str) -> Counter[str]:
    """run:task -> how often it did something."""
    if not Path(path).exists():
        return Counter()
    lines = [line.split() for line in Path(path).read_text().splitlines()]
    return Counter(_key(words[1]) for words in lines if words[0] == "did")


def _key(text: str) -> str:
    run, _, task = text.partition(":")
    return f"{run}:{task.replace('-', '')}"


def _accepted(accepted: dict[str, list[str]]) -> list[str]:
    stored = {str(pk): status for pk, status in Run.objects.values_list("pk", "status")}
    lost = [f"run {pk} was accepted and is not there" for pk in accepted if pk not in stored]
    extra = [f"run {pk} was made, and nobody was told" for pk in stored if pk not in accepted]
    wrong = [
        f"run {pk} ended as {stored[pk]}, not as {' or '.join(ends)}"
        for pk, ends in accepted.items()
        if pk in stored and stored[pk] not in ends
    ]
    return lost + extra + wrong


def _trees(names: list[str] | None) -> list[str]:
    if names is None:
        return []
    stored, wanted = Counter(Tree.objects.values_list("name", flat=True)), Counter(names)
    lost = [f"tree {name} was accepted and is not there" for name in wanted - stored]
    return lost + [f"tree {name} is there {stored[name]} times" for name in stored - wanted]
