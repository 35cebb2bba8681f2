"""Processes that run attempts, and their sign of life."""

from __future__ import annotations

import os
import secrets
import socket
from datetime import timedelta

from django.utils import timezone

from orchestration.conf import Conf
from orchestration.models import Worker

KEEP = timedelta(days=7)  # how long an ended process stays listed


def new_worker_id() -> str:
    """A name that no other process, and no earlier life of this one, has: host:pid:random."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"


def register(worker: str, conf: Conf) -> None:
    """Note that this process has started. Effects: 1 worker row; rows of processes that ended long ago go."""
    now = timezone.now()
    Worker.objects.filter(heartbeat_at__lt=now - KEEP).delete()
    Worker.objects.create(
        id=worker,
        host=socket.gethostname()[:255],
        pid=os.getpid(),
        process_slots=conf.process_slots,
        async_slots=conf.async_slots,
        started_at=now,
        heartbeat_at=now,
    )


def beat(worker: str) -> None:
    """Sign of life of *worker*."""
    Worker.objects.filter(pk=worker).update(heartbeat_at=timezone.now())


def leave(worker: str) -> None:
    """Note that *worker* has stopped in good order."""
    Worker.objects.filter(pk=worker).update(stopped_at=timezone.now())
