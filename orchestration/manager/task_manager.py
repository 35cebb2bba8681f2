"""TaskManager: the verbs of the guide."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from orchestration.builders.archive import tree_archive
from orchestration.builders.copy import tree_copy
from orchestration.builders.link import tree_link
from orchestration.builders.mixed import tree_mixed
from orchestration.domain.errors import NotFound
from orchestration.manager import starting
from orchestration.manager.reads import records_of_tree, stored_task
from orchestration.manager.records import TaskRecord, TaskTreeNode, tree_of
from orchestration.manager.repository import TaskRepository
from orchestration.manager.session import Session
from orchestration.manager.users import user_named
from orchestration.manager.working import follow, wait_for
from orchestration.models import Tree

type OnEvent = Callable[[dict[str, Any]], Awaitable[None] | None]
type Source = TaskRecord | TaskTreeNode | str


class TaskManager:
    """Creates, runs, watches, cancels and derives trees. Whoever has it is trusted: it acts as the tree's owner."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.task_repository = TaskRepository(session)

    def create_task(self, name: str, **fields: Any) -> TaskRecord:
        """As task_repository.create_task, without waiting."""
        return self.task_repository.add(name, **fields)

    # -- run -------------------------------------------------------------------------------------------------------

    async def distribute_task_tree(
        self, tree: TaskTreeNode, use_callback: bool = True, *, user: User | None = None
    ) -> TaskTreeNode:
        """Run the tree and wait for its end; gives the tree with all final states, and your records have them too.

        A new tree is stored and runs whole. One that was distributed before runs again as far as it has not completed,
        with everything downstream; completed tasks keep their results, and if all have completed nothing runs.
        *use_callback* is accepted for compatibility: dependents always start as soon as they may.
        Raises Invalid, Conflict, AlreadyRunning, Forbidden, NotFound; not for tasks that fail.
        """
        started = await self._start(tree, user)
        if started.run_id is not None:
            await wait_for(started.run_id, self.session.config)
        return await self._tree(started.tree_id)

    async def distribute_task_tree_with_streaming(
        self,
        tree: TaskTreeNode,
        use_callback: bool = True,
        *,
        on_event: OnEvent | None = None,
        user: User | None = None,
    ) -> TaskTreeNode:
        """As distribute_task_tree; *on_event*, sync or async, gets every event in order. What it raises is raised."""
        started = await self._start(tree, user)
        if started.run_id is not None:
            async with contextlib.aclosing(follow(started.run_id, self.session.config)) as events:
                async for event in events:
                    answer = on_event(event) if on_event is not None else None
                    if inspect.isawaitable(answer):
                        await answer
        return await self._tree(started.tree_id)

    async def stream_task_tree(self, tree: TaskTreeNode, *, user: User | None = None) -> AsyncGenerator[dict[str, Any]]:
        """As distribute_task_tree, giving every event in order: {run, seq, kind, task, attempt, at, data}.

        Who leaves it early should close it (contextlib.aclosing): what then still runs is given back to the queue.
        """
        started = await self._start(tree, user)
        if started.run_id is not None:
            async with contextlib.aclosing(follow(started.run_id, self.session.config)) as events:
                async for event in events:
                    yield event
        await self._tree(started.tree_id)

    async def cancel_task(
        self, task_id: str, error_message: str = "", *, subtree: bool = False, user: User | None = None
    ) -> dict[str, Any]:
        """{"status": "cancelled" | "cancelling" | "failed", "message": ...}; "cancelling": it was asked to stop.

        "failed": there is no such task, or it has ended ("current_status" says how). Raises Invalid (the message is
        too long) and Forbidden (*user* may not).
        """
        return await sync_to_async(starting.cancel)(self.session, task_id, error_message, subtree=subtree, user=user)

    # -- derive ----------------------------------------------------------------------------------------------------

    async def from_copy(
        self,
        original: Source,
        *,
        user_id: str | None = None,
        recursive: bool = True,
        include_upstream: bool = True,
        include_dependents: bool = False,
        overrides: dict[str, Any] | None = None,
    ) -> TaskTreeNode:
        """A new, independent, pending tree: the task, what is under it and what these wait for. Raises as tree_copy."""
        return await self._derive(
            tree_copy, original, user_id, recursive=recursive, include_upstream=include_upstream,
            include_dependents=include_dependents, overrides=overrides,
        )  # fmt: skip

    async def from_link(self, original: Source, *, user_id: str | None = None, recursive: bool = True) -> TaskTreeNode:
        """A new tree that shares the results of a completed one of the same user. Raises as tree_link."""
        return await self._derive(tree_link, original, user_id, recursive=recursive)

    async def from_archive(
        self, original: Source, *, user_id: str | None = None, recursive: bool = True, finished: bool = False
    ) -> TaskTreeNode:
        """A frozen snapshot of a completed (with *finished*: ended in any way) tree. Raises as tree_archive."""
        return await self._derive(tree_archive, original, user_id, recursive=recursive, finished=finished)

    async def from_mixed(
        self, original: Source, link_task_ids: Iterable[Source], *, user_id: str | None = None
    ) -> TaskTreeNode:
        """A new tree: those tasks are links, all others pending copies. Raises as tree_mixed."""
        return await self._derive(tree_mixed, original, user_id, link_ids=[_id_of(task) for task in link_task_ids])

    # -- inside ----------------------------------------------------------------------------------------------------

    async def _start(self, tree: TaskTreeNode, user: User | None) -> starting.Started:
        started = await sync_to_async(starting.start)(self.session, tree, user)
        self.session.stored(started.stored)
        return started

    async def _tree(self, tree_id: int) -> TaskTreeNode:
        records = await sync_to_async(records_of_tree)(tree_id)
        return tree_of([self.session.settle(record) for record in records])

    async def _derive(
        self, build: Callable[..., Tree], original: Source, user_id: str | None, **options: Any
    ) -> TaskTreeNode:
        tree = await sync_to_async(_build)(build, _id_of(original), user_id, options)
        return await self._tree(tree.pk)


def _id_of(source: Source) -> str:
    if isinstance(source, str):
        return source
    return source.id if isinstance(source, TaskRecord) else source.task.id


def _build(build: Callable[..., Tree], task_id: str, user_id: str | None, options: dict[str, Any]) -> Tree:
    stored = stored_task(task_id)
    if stored is None:
        raise NotFound(f"no stored task {task_id}: distribute its tree first")
    user = stored.tree.owner if user_id is None else user_named(user_id)
    return build(user=user, task_id=stored.pk, **options)
