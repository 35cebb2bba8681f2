"""The API call behind each button, as a curl line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from orchestration.domain.operations import Kind
from orchestration.models import Run, Task, Tree

PREVIEWED = ("run", "cancel", "delete", "archive")  # what the API can do with many trees at once


@dataclass(frozen=True, slots=True)
class Call:
    """What a button does, as a program would ask for it."""

    word: str
    line: str


def api_of(request: HttpRequest) -> str:
    """Where the API of this server is, as the person reaches it."""
    return f"{request.scheme}://{request.get_host()}/api/v1"


def task_calls(task: Task, api: str, *, allowed: bool) -> tuple[Call, ...]:
    """The calls for *task*; *allowed*: the user may run its tree."""
    task_id, runs = str(task.pk), f"{api}/trees/{task.tree_id}/runs/"
    read = Call(_("Read it"), _curl("GET", f"{api}/tasks/{task_id}/"))
    why = Call(_("Ask why it waits"), _curl("GET", f"{api}/tasks/{task_id}/explain/"))
    if not allowed:
        return (read, why)
    return (
        read,
        why,
        Call(_("Run from here"), _curl("POST", runs, {"mode": "from", "chosen": [task_id]})),
        Call(_("Run only this"), _curl("POST", runs, {"mode": "only", "chosen": [task_id]})),
        Call(_("Cancel it"), cancel_call(f"{api}/tasks/{task_id}/cancel/")),
        Call(_("Change its priority"), _curl("POST", f"{api}/tasks/{task_id}/priority/", {"priority": task.priority})),
    )


def run_calls(run: Run, api: str, *, may_run: bool, may_cancel: bool) -> tuple[Call, ...]:
    """The calls for *run* as far as the user may make them."""
    base = f"{api}/runs/{run.pk}/"
    found = [
        Call(_("Read it"), _curl("GET", base)),
        Call(_("Follow its events"), _curl("GET", f"{base}events/")),
        Call(_("Ask what went wrong"), _curl("GET", f"{base}explain/")),
    ]
    if may_cancel and run.is_active:
        found.append(Call(_("Cancel it"), cancel_call(f"{base}cancel/")))
    if may_run and not run.is_active:
        found.append(Call(_("Re-run what did not complete"), _curl("POST", f"{base}retry/", {"mode": "failed"})))
        found.append(Call(_("Re-run all"), _curl("POST", f"{base}retry/", {"mode": "all"})))
    found.append(Call(_("Export"), _curl("GET", f"{api}/trees/{run.tree_id}/export/?state=true")))
    return tuple(found)


def tree_calls(tree: Tree, api: str, *, may_run: bool, may_write: bool) -> tuple[Call, ...]:
    """The calls for *tree* as far as the user may make them."""
    base = f"{api}/trees/{tree.pk}/"
    found = [
        Call(_("Read it"), _curl("GET", base)),
        Call(_("Read its tasks"), _curl("GET", f"{base}tasks/")),
        Call(_("Read its runs"), _curl("GET", f"{base}runs/")),
        Call(_("Export"), _curl("GET", f"{base}export/")),
    ]
    if may_run and tree.archived_at is None:
        found.append(Call(_("Dry run"), _curl("GET", f"{base}dry-run/")))
        found.append(Call(_("Run it"), _curl("POST", f"{base}runs/", {"mode": "all"})))
    if may_write:
        found.append(Call(_("Rename"), _curl("PATCH", base, {"name": tree.name, "version": tree.version})))
        found.append(Call(_("Delete"), _curl("DELETE", base)))
    return tuple(found)


def list_calls(kind: Kind, values: Mapping[str, str], user: str, api: str) -> tuple[Call, ...]:
    """The query of a list with the filter *values* (of the address) of *user*; for trees also of its bulk actions."""
    asked = _filter(kind, values, user)
    query = f"?{urlencode(asked)}" if asked else ""
    found = [Call(_("Read this list"), _curl("GET", f"{api}/{kind}/{query}"))]
    if kind is Kind.TREES:
        words = {"run": _("Run"), "cancel": _("Cancel"), "delete": _("Delete"), "archive": _("Archive")}
        for action in PREVIEWED:
            body = {"action": action, "filter": asked, "preview": True}
            found.append(
                Call(
                    _("%(action)s all that match: see what it would do, then without preview")
                    % {"action": words[action]},
                    _curl("POST", f"{api}/trees/bulk/", body),
                )
            )
    return tuple(found)


def bulk_calls(kind: Kind, action: str, ids: Sequence[int], api: str) -> tuple[Call, ...]:
    """The call of a bulk action over *ids*; none where the API has none."""
    if kind is not Kind.TREES or action not in PREVIEWED or not ids:
        return ()
    body = {"action": action, "ids": list(ids[:200])}
    return (Call(_("Do this"), _curl("POST", f"{api}/trees/bulk/", body)),)


def queue_calls(api: str) -> tuple[Call, ...]:
    """The calls of the queue."""
    priority = _curl("POST", f"{api}/tasks/$TASK/priority/", {"priority": 0}, variable=True)
    return (Call(_("Read the queue"), _curl("GET", f"{api}/queue/")), Call(_("Put a task first"), priority))


def start_call(tree: Tree, mode: str, chosen: Sequence[str], api: str) -> Call:
    """The start of a run as planned; changes of inputs go into `overrides`."""
    body: dict[str, Any] = {"mode": mode} | ({"chosen": list(chosen)} if chosen else {})
    return Call(_("Start it"), _curl("POST", f"{api}/trees/{tree.pk}/runs/", body))


def release_calls(task: Task, depends_on: Any, api: str) -> tuple[Call, ...]:
    """The two calls that make a dependency optional and run again what waited for it."""
    edge = f"{api}/tasks/{task.pk}/dependencies/{depends_on}/"
    change = Call(_("Make the dependency optional"), _curl("PATCH", edge, {"required": False}))
    return (change, start_call(task.tree, "from", [str(task.pk)], api))


def cancel_call(url: str) -> str:
    """The line that cancels the run or task at *url*."""
    return _curl("POST", url, {"reason": ""})


def _filter(kind: Kind, values: Mapping[str, str], user: str) -> dict[str, str]:
    """The filter of a page in the words of the API."""
    state, asked = values.get("state", ""), {}
    if state == "archived":
        asked["archived"] = "true"
    elif state:
        asked["status"] = state
    if kind is Kind.TREES:
        asked |= {"search": values.get("q", ""), "label": values.get("label", "")}
    if values.get("mine") == "1":
        asked["owner" if kind is Kind.TREES else "started_by"] = user
    if hours := values.get("hours", ""):
        since = timezone.now() - timedelta(hours=int(hours))
        asked["started_since"] = f"{since:%Y-%m-%dT%H:%M:%SZ}"
    return {key: value for key, value in asked.items() if value}


def _curl(method: str, url: str, body: dict[str, Any] | None = None, *, variable: bool = False) -> str:
    """*variable*: *url* holds a variable of the shell."""
    parts = ["curl", "-X", method, "-H", '"Authorization: Bearer $APFLOW_TOKEN"']
    if body is not None:
        parts += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(json.dumps(body))]
    return " ".join([*parts, f'"{url}"' if variable else shlex.quote(url)])
