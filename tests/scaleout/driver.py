"""What a person does: the nursery calls it in a process of its own, on the database under test."""

from __future__ import annotations

import sys

from django.contrib.auth.models import User
from django.core.management import call_command

from orchestration.builders.array import tree_from_array
from orchestration.domain.work import Ending, Outcome
from orchestration.services.picking_up import report
from orchestration.services.runs import run_cancel, run_start


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
