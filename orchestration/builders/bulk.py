"""Does operations on many trees or runs, in a thread of the process that serves the pages."""

from __future__ import annotations

import threading
from collections.abc import Callable
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import connections

from orchestration.builders.archive import tree_archive
from orchestration.builders.copy import tree_copy
from orchestration.domain.errors import NotFound
from orchestration.domain.operations import Bulk, Kind
from orchestration.domain.states import Mode, Status
from orchestration.models import BulkOperation, Run, Task, Tree
from orchestration.selectors.access import run_for_read, tree_for_read
from orchestration.services import bulk, runs, trees

PAUSE_S = 0.01  # between two steps, so that other writers get their turn


def perform(user: User, operation: BulkOperation, item: int) -> None:
    """Do the operation to its *item*, as *user*. Raises what the service of the action raises."""
    DEEDS[Bulk(operation.action)](user, operation, item)


def _tree_of(user: User, operation: BulkOperation, item: int) -> Tree:
    if operation.kind == Kind.RUNS:
        return run_for_read(user, item).tree
    return tree_for_read(user, item)


def _run(user: User, operation: BulkOperation, item: int) -> None:
    runs.run_start(user=user, tree_id=_tree_of(user, operation, item).pk)


def _rerun(user: User, operation: BulkOperation, item: int) -> None:
    runs.run_start(user=user, tree_id=_tree_of(user, operation, item).pk, mode=Mode.FAILED)


def _cancel(user: User, operation: BulkOperation, item: int) -> None:
    run_id: int | None = item
    if operation.kind == Kind.TREES:
        tree = tree_for_read(user, item)
        active = Run.objects.filter(tree=tree, status=Status.IN_PROGRESS)
        run_id = active.values_list("pk", flat=True).first()
    if run_id is None:
        raise NotFound("nothing of it is running any more")
    runs.run_cancel(user=user, run_id=run_id, reason=operation.reason)


def _root(user: User, item: int) -> UUID:
    tree = tree_for_read(user, item)
    return Task.objects.get(tree=tree, parent=None).pk


def _copy(user: User, operation: BulkOperation, item: int) -> None:
    tree_copy(user=user, task_id=_root(user, item))


def _archive(user: User, operation: BulkOperation, item: int) -> None:
    tree_archive(user=user, task_id=_root(user, item))


def _label(user: User, operation: BulkOperation, item: int) -> None:
    labels = [*tree_for_read(user, item).labels, operation.argument]
    trees.tree_label(user=user, tree_id=item, labels=list(dict.fromkeys(labels)))


def _delete(user: User, operation: BulkOperation, item: int) -> None:
    trees.tree_delete(user=user, tree_id=item)


DEEDS: dict[Bulk, Callable[[User, BulkOperation, int], None]] = {
    Bulk.RUN: _run,
    Bulk.RERUN: _rerun,
    Bulk.CANCEL: _cancel,
    Bulk.COPY: _copy,
    Bulk.ARCHIVE: _archive,
    Bulk.LABEL: _label,
    Bulk.DELETE: _delete,
}


def work_off(worker: str, pause: Callable[[], object] = lambda: None) -> int:
    """How many operations were taken up: all that nobody works on, each until its end."""
    taken = 0
    for operation_id in bulk.operations_open():
        if not bulk.operation_claim(operation_id, worker):
            continue
        taken += 1
        while bulk.operation_step(operation_id, worker, perform):
            pause()
    return taken


class BulkWorker:
    """A thread that exists only while there is something to do."""

    def __init__(self) -> None:
        self._id = str(uuid4())
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._asked = False
        self._rest = threading.Event()

    def wake(self) -> None:
        """Look for open operations, soon and elsewhere: also those that a crash has left."""
        with self._lock:
            self._asked = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="bulk", daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        try:
            while self._is_asked():
                work_off(self._id, lambda: self._rest.wait(PAUSE_S))
        finally:
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None
            connections.close_all()

    def _is_asked(self) -> bool:
        with self._lock:
            asked, self._asked = self._asked, False
            if not asked:
                self._thread = None
            return asked


worker = BulkWorker()
