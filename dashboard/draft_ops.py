"""The edits of the builder: what a posted form does to a draft."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from dashboard.forms_builder import TaskForm
from dashboard.schema_forms import SchemaForm, schema_form
from orchestration.builders.draft import draft_from_text, fresh_item
from orchestration.conf import conf
from orchestration.domain.errors import Invalid, OrchestrationError
from orchestration.domain.explain.facts import quoted
from orchestration.domain.json_gate import parse_json, safe_text
from orchestration.domain.outline_edit import Array, Item, Outline, add, link, move, remove, step, unlink, update
from orchestration.domain.task_fields import CHECKS, Limits, did_you_mean
from orchestration.executors.registry import find

Post = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Edit:
    """The draft after an edit; *what* it was, in words; the task to show; forms that came back with errors."""

    array: Array
    what: str = ""
    task: str = ""
    form: TaskForm | None = None
    inputs: SchemaForm | None = None
    quiet: bool = False  # what the person types in is right: leave it alone


def apply(op: str, array: Array, task: str, post: Post) -> Edit:
    """What *op* does. Raises OrchestrationError with what is wrong and how to mend it."""
    known: dict[str, Callable[[Array, str, Post], Edit]] = {
        "add": _add, "add_inside": _add_inside, "delete": _delete, "move": _move, "link": _link, "unlink": _unlink,
        "edge": _edge, "task": _task, "inputs": _inputs, "json": _json,
    }  # fmt: skip
    if op in ("up", "down", "indent", "outdent"):
        said = gettext("Move %(name)s %(op)s") % {"name": _name(array, task), "op": op}
        return Edit(step(array, task, op), said, task)  # type: ignore[arg-type]
    if op not in known:
        raise OrchestrationError(f"there is no edit '{safe_text(op, 20)}'")
    return known[op](array, task, post)


def _name(array: Array, task: str) -> str:
    return quoted(Outline.of(array).get(task)["name"])


def _add(array: Array, task: str, post: Post, *, inside: bool = False) -> Edit:
    if len(array) >= conf().max_tasks:
        raise OrchestrationError(f"{conf().max_tasks} tasks are allowed in one tree: split it")
    name = post.get("new_name", "").strip() or _free_name(array)
    problems: list[Any] = []
    CHECKS["name"](name, "name", Limits(0, 0), problems)
    if problems:
        raise OrchestrationError(problems[0].message, field="new_name")
    item = fresh_item(name)
    return Edit(
        add(array, item, near=task, inside=inside), (gettext("Add %(quoted)s") % {"quoted": quoted(name)}), item["id"]
    )


def _add_inside(array: Array, task: str, post: Post) -> Edit:
    return _add(array, task, post, inside=True)


def _free_name(array: Array) -> str:
    names = {item["name"] for item in array}
    return next(
        name
        for number in range(1, len(array) + 2)
        if (name := (gettext("New task %(number)s") % {"number": number})) not in names
    )


def _delete(array: Array, task: str, _post: Post) -> Edit:
    outline = Outline.of(array)
    name, count = _name(array, task), len(outline.subtree(task))
    left = remove(array, task)
    siblings = outline.children[outline.parent(task)]
    place = siblings.index(task)
    near = siblings[place + 1] if place + 1 < len(siblings) else siblings[place - 1] if place else outline.parent(task)
    more = (gettext(" and %(value)s under it") % {"value": count - 1}) if count > 1 else ""
    return Edit(left, (gettext("Remove %(name)s%(more)s") % {"name": name, "more": more}), near or "")


def _move(array: Array, task: str, post: Post) -> Edit:
    where = post.get("where", "")
    if where not in ("before", "after", "inside"):
        raise OrchestrationError("where to: before, after or inside another task?")
    said = gettext("Move %(name)s") % {"name": _name(array, task)}
    return Edit(move(array, task, post.get("target", ""), where), said, task)  # type: ignore[arg-type]


def _link(array: Array, task: str, post: Post) -> Edit:
    """*waiting* (else the shown task) waits for `on`; both by id or by name."""
    waiting = _found(array, post["waiting"], "waiting") if post.get("waiting") else task
    other = _found(array, post.get("on", ""), "on")
    edge: Item = {"id": other} | ({"required": False} if post.get("optional") else {})
    what = gettext("%(name)s waits for %(name2)s") % {"name": _name(array, waiting), "name2": _name(array, other)}
    return Edit(link(array, waiting, edge), what, waiting)


def _found(array: Array, text: str, field: str) -> str:
    """The id of the task that *text* means: an id, a name, or the beginning of an id in [brackets] after a name."""
    text = text.strip()
    name, _, start = text.rpartition(" [")
    named = [item["id"] for item in array if item["name"].strip() == text]
    alike = [item["id"] for item in array if start and item["name"].strip() == name]
    marked = [one for one in alike if one.startswith(start[:-1])]
    found = [item["id"] for item in array if item["id"] == text] or named or marked
    if len(found) == 1:
        return str(found[0])
    if not text:
        raise OrchestrationError("which task should it wait for? Type or choose its name", field=field)
    if found:
        message = gettext("%(len)s tasks are named %(quoted)s: choose one of the list, or rename them") % {
            "len": len(found),
            "quoted": quoted(text),
        }
        raise OrchestrationError(message, field=field)
    hint = did_you_mean(text, [item["name"] for item in array[:2000]])
    raise OrchestrationError(f"no task is named {quoted(text)}{hint or ': choose one of the list'}", field=field)


def choices(array: Array, without: str = "") -> list[str]:
    """How `_found` knows each task, for a list to choose from."""
    names = Counter(item["name"] for item in array)
    return [
        item["name"] if names[item["name"]] == 1 else f"{item['name']} [{item['id'][:8]}]"
        for item in array
        if item["id"] != without
    ]


def _unlink(array: Array, task: str, post: Post) -> Edit:
    waiting, other = post.get("waiting") or task, post.get("on", "")
    what = gettext("%(name)s no longer waits for %(name2)s") % {
        "name": _name(array, waiting),
        "name2": _name(array, other),
    }
    return Edit(unlink(array, waiting, other), what, task or waiting)


def _edge(array: Array, task: str, post: Post) -> Edit:
    other = post.get("on", "")
    edge: Item = {"id": other} | ({} if post.get("required") == "1" else {"required": False})
    flow = post.get("flow", "")
    if flow == "as":
        edge["as"] = _checked_name(post.get("as", ""), gettext("give the key under which the result arrives"))
    elif flow == "map":
        edge["map"] = _mapping(post.get("map", ""))
    return Edit(
        link(array, task, edge),
        (
            gettext("Change how %(name)s waits for %(name2)s")
            % {"name": _name(array, task), "name2": _name(array, other)}
        ),
        task,
    )


def _mapping(text: str) -> dict[str, str]:
    found = {}
    for line in filter(str.strip, text.replace("\r", "").split("\n")):
        key, sign, path = line.partition("=")
        if not sign:
            raise OrchestrationError(f"'{safe_text(line, 60)}': write one 'input = path.in.result' a line", field="map")
        key = _checked_name(key, gettext("the input before '=' is empty"))
        found[key] = _checked_name(
            path, (gettext("'%(safe_text)s': the path after '=' is empty") % {"safe_text": safe_text(key, 40)})
        )
    if not found:
        raise OrchestrationError("write at least one 'input = path.in.result'", field="map")
    return found


def _checked_name(text: str, empty: str) -> str:
    text = text.strip()
    if not text:
        raise OrchestrationError(empty)
    problems: list[Any] = []
    CHECKS["name"](text, "name", Limits(0, 0), problems)
    if problems:
        raise OrchestrationError(problems[0].message)
    return text


def _task(array: Array, task: str, post: Post) -> Edit:
    """The form of a task; the inputs belong to the executor that they were shown for."""
    item = Outline.of(array).get(task)
    form = TaskForm(item, data=post)
    inputs = schema_form(input_schema(item), old=item.get("inputs", {}), data=post, enforce=False)
    good, fits = form.is_valid(), inputs.is_valid()
    changes = dict(form.changes)
    if fits and post.get("inputs_for") == item.get("executor", ""):
        changes["inputs"] = inputs.value or None
    fits = fits or post.get("inputs_for") != item.get("executor", "")
    changed = update(array, task, changes)
    what = gettext("Change %(name)s") % {"name": _name(changed, task)}
    same = changes.get("executor", item.get("executor", "")) == item.get("executor", "")
    return Edit(changed, what, task, None if good else form, None if fits else inputs, quiet=good and fits and same)


def _inputs(array: Array, task: str, post: Post) -> Edit:
    """The inputs as raw JSON."""
    limits = Limits(conf().max_inputs_bytes, conf().max_depth)
    text = post.get("raw", "").strip()
    problems: list[Any] = []
    try:
        given = parse_json(text, max_bytes=limits.max_bytes) if text else {}
        value = CHECKS["inputs"](given, "inputs", limits, problems)
    except Invalid as error:
        problems = list(error.problems)
    if problems:
        raise OrchestrationError(f"inputs: {problems[0].message}; nothing was changed", field="raw")
    return Edit(
        update(array, task, {"inputs": value or None}),
        (gettext("Change the inputs of %(name)s") % {"name": _name(array, task)}),
        task,
    )


def _json(array: Array, task: str, post: Post) -> Edit:
    fresh = draft_from_text(post.get("array", ""), array)
    kept = task if any(item["id"] == task for item in fresh) else fresh[0]["id"]
    return Edit(fresh, "Apply JSON", kept)


def input_schema(item: Item) -> dict[str, Any]:
    """The schema that the form of a task's inputs is made from."""
    executor = find(item.get("executor", ""))
    return executor.input_schema if executor else {"type": "object"}


def inputs_text(item: Item) -> str:
    """The inputs as JSON for people."""
    return json.dumps(item.get("inputs", {}), indent=2, ensure_ascii=False)
