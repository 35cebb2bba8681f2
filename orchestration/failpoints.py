"""Places where a test can make this process die, fail or wait, as APFLOW_FAILPOINTS says (docs/faults.md).

Switched off, as it is everywhere else, a place costs one look at an empty dict.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial

from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, transaction

logger = logging.getLogger("apflow.failpoints")

NAMES = frozenset({
    # in the transaction of whoever asked for it
    "tree.create", "run.start", "run.cancel", "task.cancel", "idempotency.remember", "bulk.step",
    # after that of a request to the API, before its answer
    "web.committed",
    # the engine's transaction, from its beginning to its end, and what follows it
    "engine.recover", "engine.heartbeat", "engine.sweep", "engine.collect", "engine.ready", "engine.report",
    "engine.claim", "store.tasks", "store.attempts", "store.events", "store.run", "engine.dispatch",
    "engine.committed", "engine.delivered", "engine.stop", "engine.stopped",
    # a worker's
    "worker.report", "worker.pick_up", "worker.committed", "worker.renew", "worker.stop",
    # webhooks
    "webhook.tell", "webhook.sent", "webhook.record",
})  # fmt: skip

_armed: dict[str, str] = {}
_passes: Counter[str] = Counter()
_counting = threading.Lock()


def arm(actions: Mapping[str, str]) -> None:
    """From now on, in this process: name -> `kill`, `raise`, `sleep:SECONDS` or `commit_then_raise`.

    An action ending in `@N` happens only when the place is passed for the N-th time. Raises ImproperlyConfigured for a
    name that is no failpoint.
    """
    if unknown := sorted(actions.keys() - NAMES):
        raise ImproperlyConfigured(f"APFLOW_FAILPOINTS: '{unknown[0]}' is no failpoint: {', '.join(sorted(NAMES))}")
    _passes.clear()
    _armed.clear()
    _armed.update(actions)


def failpoint(name: str) -> None:
    """Does nothing, unless a test wants something to go wrong here; then it may raise OperationalError."""
    if _armed:
        _pass(name)


def _pass(name: str) -> None:
    action, _, only = _armed.get(name, "").partition("@")
    with _counting:
        _passes[name] += 1
        due = not only or _passes[name] == int(only)
    if not due or not action:
        return
    logger.warning("failpoint %s: %s", name, action)
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "commit_then_raise":  # it is written, and whoever wrote it is told that it may not be
        transaction.on_commit(partial(_fail, name))
    elif action == "raise":
        _fail(name)
    else:
        time.sleep(float(action.removeprefix("sleep:")))


def _fail(name: str) -> None:
    raise OperationalError(f"failpoint {name}")
