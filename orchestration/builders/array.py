"""Trees from arrays of tasks (JSON, YAML or Python data): checked first, and all problems are told at once."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Sequence
from typing import Any, Literal
from uuid import UUID

from django.contrib.auth.models import User

from orchestration.builders.array_fields import Reader, Row
from orchestration.builders.array_links import Links
from orchestration.builders.array_problems import Problems, refuse
from orchestration.builders.array_text import load_text
from orchestration.conf import Conf, conf
from orchestration.domain.errors import Problem
from orchestration.domain.json_gate import safe_text
from orchestration.domain.spec import TaskSpec, TreeSpec
from orchestration.domain.task_fields import Limits, check_labels, did_you_mean, got
from orchestration.models import Task, Tree
from orchestration.services.rows import db_uuids
from orchestration.services.trees import tree_create

type Format = Literal["auto", "json", "yaml"]

IDS_PER_QUERY = 500
VARIANT = "89ab"  # of a uuid4: its 17th digit


def tree_from_array(
    *,
    owner: User,
    data: Any = None,
    raw: bytes | str | None = None,
    format: Format = "auto",
    labels: Iterable[str] = (),
    keep_ids: bool = False,
) -> Tree:
    """The new tree that *data* (or the text *raw*) describes. Raises Invalid; then nothing is stored."""
    given = [*labels]
    problems = Problems()
    check_labels(given, "labels", problems)
    problems.check()
    if raw is not None:
        spec = spec_from_text(raw, format=format, keep_ids=keep_ids)
    else:
        spec = spec_from_array(data, keep_ids=keep_ids)
    return tree_create(owner=owner, spec=spec, labels=given)


def spec_from_text(raw: bytes | str, *, format: Format = "auto", keep_ids: bool = False) -> TreeSpec:
    """As `spec_from_array`, from JSON or YAML text. *auto*: what begins with [ or { is JSON. Raises Invalid."""
    return spec_from_array(load_text(raw, format), keep_ids=keep_ids)


def spec_from_array(data: Any, *, keep_ids: bool = False, own_ids: Container[str] = ()) -> TreeSpec:
    """The tree that *data* describes: a list of tasks, one task, or {"tasks": [...], "labels": [...]}.

    *keep_ids*: an `id` that is a UUID and is free is kept; otherwise every task gets a new one.
    *own_ids*: ids (32 hex digits) that count as free, because the tree that they belong to is being edited.
    Raises Invalid with all problems. Reads the database only for *keep_ids*; stores nothing.
    """
    limits = conf()
    problems = Problems()
    items, prefix, labels = _unwrap(data, problems)
    if not items:
        refuse(prefix, "a tree needs at least one task: add an object with a name", "empty")
    if len(items) > limits.max_tasks:
        refuse(prefix, f"{len(items)} tasks, but {limits.max_tasks} are allowed in one tree: split it", "too_many")
    reader = Reader(Limits(limits.max_inputs_bytes, limits.max_depth), problems)
    rows = [reader.read(item, f"{prefix}[{index}]") for index, item in enumerate(items)]
    tasks = _link(rows, problems, limits, _ids(rows, keep_ids, own_ids))
    return TreeSpec(tasks=tasks, labels=labels, warnings=_warnings(reader))


def _unwrap(data: Any, problems: Problems) -> tuple[list[Any], str, list[str]]:
    if isinstance(data, list):
        return data, "", []
    if not isinstance(data, dict):
        refuse("", f'expected a list of tasks such as [{{"name": "start"}}], got {got(data)}', "invalid_type")
    if "tasks" not in data:
        return [data], "", []
    for key in data:
        if key not in ("tasks", "labels"):
            remedy = did_you_mean(str(key), ("tasks", "labels")) or "; known: tasks, labels"
            problems.add(safe_text(str(key), 64), f"unknown field{remedy}", "unknown_field")
    if not isinstance(data["tasks"], list):
        refuse("tasks", f"expected a list of tasks, got {got(data['tasks'])}", "invalid_type")
    return data["tasks"], "tasks", check_labels(data.get("labels"), "labels", problems)


def _link(rows: Sequence[Row], problems: Problems, limits: Conf, ids: Sequence[str]) -> list[TaskSpec]:
    links = Links(rows, ids, problems)
    links.index()
    walk = links.resolve_parents(limits)
    links.resolve_dependencies(limits)
    problems.check()
    tasks = []
    for index, _depth in walk:
        row, parent = rows[index], links.parents[index]
        tasks.append(
            TaskSpec(
                id=ids[index],
                parent_id=None if parent is None else ids[parent],
                executor=row.executor,
                dependencies=links.dependencies.get(index, []),
                **row.fields,
            )
        )
    return tasks


def _ids(rows: Sequence[Row], keep_ids: bool, own_ids: Container[str]) -> list[str]:
    wanted = [_uuid(row.key) if keep_ids and row.key else None for row in rows]
    taken: set[str] = set()
    asked = list(dict.fromkeys(hex_id for hex_id in wanted if hex_id and hex_id not in own_ids))
    for start in range(0, len(asked), IDS_PER_QUERY):
        some = db_uuids(asked[start : start + IDS_PER_QUERY])
        taken.update(found.hex for found in Task.objects.filter(pk__in=some).values_list("pk", flat=True))
    ids = []
    for hex_id, fresh in zip(wanted, _fresh_ids(len(wanted)), strict=True):
        free = hex_id is not None and hex_id not in taken
        ids.append(hex_id if free and hex_id else fresh)
        taken.add(ids[-1])
    return ids


def _fresh_ids(count: int) -> list[str]:
    """Random ids (uuid4), rising: what stands together in the outline then stands together in every index."""
    digits = os.urandom(16 * count).hex()
    found = (digits[start : start + 32] for start in range(0, 32 * count, 32))
    return sorted(f"{d[:12]}4{d[13:16]}{VARIANT[int(d[16], 16) % 4]}{d[17:]}" for d in found)


def _uuid(text: str) -> str | None:
    try:
        return UUID(text).hex
    except ValueError:
        return None


def _warnings(reader: Reader) -> list[Problem]:
    found = []
    if reader.ignored:
        names = ", ".join(sorted(reader.ignored))
        message = f"not imported: {names}; a new tree starts with every task pending"
        found.append(Problem("", message, "not_imported"))
    for row in reader.drafts:
        message = (
            f"'{safe_text(row.name, 64)}' has inputs or params but no executor: it is stored as a draft, "
            "and a run that reaches it is refused until you choose one"
        )
        found.append(Problem(f"{row.path}.executor", message, "draft"))
    return found
