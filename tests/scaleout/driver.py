"""What a person does, in a process of its own on the database under test: a request per line, an answer per line."""

from __future__ import annotations

import json
import sys

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402

from orchestration.builders.array import tree_from_array  # noqa: E402
from orchestration.domain.work import Ending, Outcome  # noqa: E402
from orchestration.services.picking_up import report  # noqa: E402
from orchestration.services.runs import run_cancel, run_start  # noqa: E402


def user():
    return User.objects.filter(username="ann").first() or User.objects.create_superuser("ann", password="secret words")


def start(tasks):
    tree = tree_from_array(owner=user(), data=tasks)
    return run_start(user=user(), tree_id=tree.pk).pk


def cancel(run_id):
    return run_cancel(user=user(), run_id=run_id).status


def forge(run_id, task_id, attempt):
    """A report as a worker would send it that lost this attempt long ago."""
    report([Outcome(run_id, task_id, attempt, Ending.COMPLETED, result='"forged"')], "nobody")


def verify():
    call_command("verify_log", stdout=sys.stderr)


CALLS = {f.__name__: f for f in (start, cancel, forge, verify)}

if __name__ == "__main__":
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            answer = {"ok": CALLS[name](*arguments)}
        except Exception as error:  # noqa: BLE001  told to the test
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
