"""tasks.clone: copies, links, archives and mixed trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from orchestration.builders.archive import preview_archive, tree_archive
from orchestration.builders.copy import preview_copy, tree_copy
from orchestration.builders.link import preview_link, tree_link
from orchestration.builders.mixed import preview_mixed, tree_mixed
from orchestration.builders.overrides import FIELDS
from orchestration.builders.preview import ClonePreview
from orchestration.domain.states import Origin, Status
from orchestration.rpc.params import Params, invalid
from orchestration.rpc.payload import one_task, payloads, tasks_for
from orchestration.selectors import access

MIXED = "mixed"
KINDS = (Origin.COPY.value, Origin.LINK.value, Origin.ARCHIVE.value, MIXED)
ROLES = {"copy": Origin.COPY, "link": Origin.LINK, "archived": Origin.ARCHIVE}
MAKERS: dict[str, Callable[..., Any]] = {
    Origin.COPY: tree_copy,
    Origin.LINK: tree_link,
    Origin.ARCHIVE: tree_archive,
    MIXED: tree_mixed,
}
PREVIEWS: dict[str, Callable[..., ClonePreview]] = {
    Origin.COPY: preview_copy,
    Origin.LINK: preview_link,
    Origin.ARCHIVE: preview_archive,
    MIXED: preview_mixed,
}
ALWAYS_RESET = frozenset({"status", "result", "error", "progress", "started_at", "completed_at", "user_id"})


def clone(user: Any, params: Params) -> Any:
    """The tasks of the new tree, parents first; with save false those that it would have.

    Raises NotFound, Forbidden, Invalid, Conflict (a link or an archive of what has not completed).
    """
    access.require_create(user)
    task = one_task(user, params.task_id("task_id", "id"))
    kind = params.text("origin_type") or Origin.COPY.value
    if kind not in KINDS:
        raise invalid("origin_type", f"unknown: use one of {', '.join(KINDS)}", "invalid_choice")
    recursive = params.flag("recursive", params.flag("copy_children", True))
    options: dict[str, Any] = {"user": user, "task_id": task.pk, "recursive": recursive}
    if kind == MIXED:
        options["link_ids"] = params.ids("link_task_ids")
        if not options["link_ids"]:
            raise invalid("link_task_ids", "link_task_ids is required when origin_type='mixed'", "required")
    reset = _reset(params)
    if reset and kind in (Origin.LINK, Origin.ARCHIVE):
        raise invalid("reset_fields", f"a {kind} shows its original: nothing of it can be changed", "unsupported")
    if reset:
        options["overrides"] = _overrides(kind, options, reset)
    if not params.flag("save", True):
        return _imagined(user, _preview(kind, options))
    made = MAKERS[kind](**options)
    return payloads(tasks_for(user).filter(tree=made).order_by("position"))


def _preview(kind: str, options: dict[str, Any]) -> ClonePreview:
    return PREVIEWS[kind](**options)


def _reset(params: Params) -> dict[str, Any]:
    """The fields that every copied task gets. Texts are what apflow's command line sends."""
    found: dict[str, Any] = {}
    for key, value in params.object("reset_fields").items():
        if key in ALWAYS_RESET:
            continue
        if key not in FIELDS:
            raise invalid(f"reset_fields.{key[:64]}", f"can be: {', '.join(FIELDS)}", "unknown_field")
        if value is None:
            found |= {key: {}} if key in ("inputs", "params", "backoff") else {}
        else:
            found[key] = int(value) if key == "priority" and value in ("0", "1", "2", "3") else value
    return found


def _overrides(kind: str, options: dict[str, Any], reset: dict[str, Any]) -> dict[str, Any]:
    copied = [task for task in _preview(kind, options).tasks if task.role == "copy"]
    return {task.source_id: reset for task in copied}


def _imagined(user: Any, shown: ClonePreview) -> list[dict[str, Any]]:
    """What would be stored, without ids."""
    sources = {UUID(task.source_id): task for task in shown.tasks}
    found = {row["id"]: row for row in payloads(tasks_for(user).filter(pk__in=list(sources)))}
    tasks = []
    for pk, task in sources.items():
        row = found[str(pk)]
        origin = {"id": None, "task_tree_id": None, "user_id": user.get_username(), "original_task_id": str(pk)}
        origin["origin_type"] = ROLES[task.role]
        if task.role == "copy":
            fresh = {"status": Status.PENDING, "progress": 0.0}
            origin |= fresh | dict.fromkeys(("result", "error", "started_at", "completed_at"))
        tasks.append(row | origin)
    return tasks
