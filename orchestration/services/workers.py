"""Processes that run attempts, and their sign of life."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Collection
from datetime import timedelta

from django.db.models.functions import Now
from django.utils import timezone

from orchestration.conf import Conf
from orchestration.domain.states import Status, WorkerKind
from orchestration.driver import replan
from orchestration.models import Attempt, Worker

KEEP = timedelta(days=7)  # how long an ended process stays listed


def new_worker_id() -> str:
    """A name that no other process, and no earlier life of this one, has: host:pid:random."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"


def register(
    worker: str,
    conf: Conf,
    *,
    kind: WorkerKind = WorkerKind.ENGINE,
    queues: Collection[str] = (),
    hands_out: bool = False,
) -> None:
    """Note that this process has started. *hands_out*: it is an engine that runs nothing itself.

    Effects: 1 worker row; rows of processes that ended long ago go. Times are of the database's clock.
    """
    Worker.objects.filter(heartbeat_at__lt=Now() - KEEP).delete()
    Worker.objects.create(
        id=worker,
        kind=kind.value,
        queues=sorted(queues),
        host=socket.gethostname()[:255],
        pid=os.getpid(),
        process_slots=0 if hands_out else conf.process_slots,
        async_slots=0 if hands_out else conf.async_slots,
        started_at=Now(),
        heartbeat_at=Now(),
    )


def beat(worker: str) -> None:
    """Sign of life of *worker*, whose plans are made anew: tables have grown since."""
    replan()
    Worker.objects.filter(pk=worker).update(heartbeat_at=Now())


def renew_leases(worker: str, lease_s: float) -> int:
    """Let the leases of all that *worker* runs end *lease_s* from now, by this process's clock. Returns how many."""
    until = timezone.now() + timedelta(seconds=lease_s)
    return Attempt.objects.filter(worker=worker, status=Status.IN_PROGRESS.value).update(lease_expires_at=until)


def leave(worker: str) -> None:
    """Note that *worker* has stopped in good order."""
    Worker.objects.filter(pk=worker).update(stopped_at=Now())
