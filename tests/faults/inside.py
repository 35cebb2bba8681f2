"""What these tests do inside an installation, called by its nursery."""

from __future__ import annotations

import asyncio
import ctypes
import os
from pathlib import Path

from channels.layers import BaseChannelLayer
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import ManagementUtility
from django.test import Client

from orchestration.builders.array import tree_from_array
from orchestration.builders.bulk import work_off
from orchestration.domain.operations import Bulk, Kind
from orchestration.domain.states import Kind as EventKind
from orchestration.models import Run, Task, Tree
from orchestration.selectors.bulk import bulk_preview
from orchestration.services.bulk import operation_create
from orchestration.services.runs import run_start
from orchestration.services.transitions_verbs import note
from orchestration.soak.inside import NAME

VERSION = 0x20080522  # of the kernel's interface for capabilities


def powerless(argv: list[str]) -> None:
    """`manage.py` with *argv*, in a process whose user may be root, but has none of root's privileges (Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    none = (ctypes.c_uint32 * 6)()
    if libc.capset((ctypes.c_uint32 * 2)(VERSION, 0), none):
        raise OSError(ctypes.get_errno(), "capset")
    ManagementUtility(["manage.py", *argv]).execute()


def session(name: str = NAME) -> str:
    """The session cookie of a user, who is made if there is none of that name."""
    user = User.objects.filter(username=name).first() or User.objects.create_superuser(name, password=None)
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def sessions(count: int) -> list[str]:
    return [session(f"u{number}") for number in range(count)]


def fatten(run_id: int, count: int, size: int) -> int:
    """The run's number of events, after *count* were added that have *size* characters each."""
    for _ in range(count):
        note(run_id, EventKind.LATE_RESULT, {"ending": "completed", "error": "x" * size})
    return Run.objects.get(pk=run_id).seq


def begin_many(trees: list[list[dict]]) -> list[tuple[int, str, str, int, int]]:
    """(tree, root, last task, run, version of the last task) of a run of each of these new trees."""
    user = User.objects.get(username=NAME)
    begun = []
    for data in trees:
        tree = tree_from_array(owner=user, data=data)
        run = run_start(user=user, tree_id=tree.pk)
        root, *_, last = Task.objects.filter(tree=tree).order_by("position")
        begun.append((tree.pk, root.pk.hex, last.pk.hex, run.pk, last.version))
    return begun


def run_all(tree_ids: list[int]) -> int:
    """How many bulk operations were worked off here, after one was made that runs these trees (none: no new one)."""
    if tree_ids:
        user = User.objects.get(username=NAME)
        chosen = Tree.objects.filter(pk__in=tree_ids)
        found = bulk_preview(user=user, kind=Kind.TREES, action=Bulk.RUN, chosen=chosen)
        operation_create(user=user, kind=Kind.TREES, action=Bulk.RUN, found=found)
    return work_off(f"worker {os.getpid()}")


class Silent(BaseChannelLayer):
    """A channel layer that carries nothing and never says so; who has used it is in the file `nudges`."""

    async def new_channel(self, prefix="specific."):
        return f"{prefix}!silent"

    async def group_add(self, group, channel):
        return

    async def group_discard(self, group, channel):
        return

    async def group_send(self, group, message):
        self._note("told")

    async def receive(self, channel):
        self._note("listened")
        await asyncio.Event().wait()

    @staticmethod
    def _note(word):
        with (Path(settings.DATA_DIR) / "nudges").open("a") as file:
            file.write(f"{word}\n")


def without_nudges(*argv: str) -> None:
    """`manage.py` with *argv*, on a channel layer that carries nothing."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": f"{__name__}.Silent"}}
    ManagementUtility(["manage.py", *argv]).execute()
