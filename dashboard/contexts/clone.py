"""The pages of copy, link, archive and mixed: what is asked for, and what would be made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext, gettext_lazy

from dashboard.contexts.common import State
from dashboard.contexts.tasks import task_state
from dashboard.texts import counted
from orchestration.builders.preview import ClonePreview, PreviewTask
from orchestration.domain.states import Status
from orchestration.models import Task, Tree

PAGE = 100  # tasks of a page of a preview

KINDS = {
    "copy": (
        gettext_lazy("Copy"),
        gettext_lazy("A new, independent tree: every task pending, with new ids. Runs from the beginning."),
    ),
    "link": (
        gettext_lazy("Link"),
        gettext_lazy("A new tree that shows these results without having them. Nothing is duplicated, nothing runs."),
    ),
    "archive": (
        gettext_lazy("Archive"),
        gettext_lazy("A frozen snapshot with states, results and times. Nobody can change it any more."),
    ),
    "mixed": (
        gettext_lazy("Mixed"),
        gettext_lazy("Some tasks keep their result as links, all others are copies that run."),
    ),
}
TITLES = {
    "copy": gettext_lazy("Copy"),
    "link": gettext_lazy("Link to"),
    "archive": gettext_lazy("Archive"),
    "mixed": gettext_lazy("Mixed tree of"),
}
VERBS = {
    "copy": gettext_lazy("Copy"),
    "link": gettext_lazy("Link"),
    "archive": gettext_lazy("Archive"),
    "mixed": gettext_lazy("Make"),
}


@dataclass(frozen=True, slots=True)
class CloneAsked:
    """What the address or the form asks for."""

    kind: str
    task: str  # 32 hex digits
    recursive: bool = True
    upstream: bool = True
    dependents: bool = False
    finished: bool = False
    links: tuple[str, ...] = ()
    start: int = 0
    name: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)  # task -> its inputs as posted
    problems: Mapping[str, list[str]] = field(default_factory=dict)  # task or "" -> what is wrong


@dataclass(frozen=True, slots=True)
class KindLink:
    word: str
    url: str
    here: bool


@dataclass(frozen=True, slots=True)
class CloneLine:
    """A task of the new tree."""

    id: str
    name: str
    url: str
    indent: int
    role: str
    why: str
    state: State
    linkable: bool
    linked: bool
    inputs: str | None  # None: cannot be changed
    changed: bool
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CloneView:
    title: str
    hint: str
    kind: str
    tree_name: str
    tree_url: str
    task_id: str
    task_name: str
    whole: bool
    action_url: str
    kinds: tuple[KindLink, ...]
    asked: CloneAsked
    name: str
    lines: tuple[CloneLine, ...]
    links_hidden: tuple[str, ...]
    counts: str
    warnings: tuple[str, ...]
    problems: tuple[str, ...]
    button: str
    previous_start: int | None
    next_start: int | None
    chooses: bool  # options about the neighbourhood apply


def clone_view(
    tree: Tree, root: Task, asked: CloneAsked, found: ClonePreview | None, tasks: Mapping[str, Task]
) -> CloneView:
    """The page; *found* is None when nothing can be made, *tasks*: those of the page."""
    hint = str(KINDS[asked.kind][1])
    whole = root.parent_id is None
    listed = found.tasks if found else []
    page = listed[asked.start : asked.start + PAGE]
    shown = {line.source_id for line in page}
    return CloneView(
        title=f"{TITLES[asked.kind]} {root.name}",
        hint=hint,
        kind=asked.kind,
        tree_name=tree.name,
        tree_url=tree.get_absolute_url(),
        task_id=str(root.pk),
        task_name=root.name,
        whole=whole,
        action_url=f"/trees/{tree.pk}/{asked.kind}",
        kinds=tuple(
            KindLink(str(w), f"/trees/{tree.pk}/{kind}{'' if whole else f'?task={root.pk}'}", kind == asked.kind)
            for kind, (w, _) in KINDS.items()
        ),
        asked=asked,
        name=asked.name if asked.name is not None else _name(asked, root),
        lines=tuple(_line(line, asked, tasks[line.source_id]) for line in page if line.source_id in tasks),
        links_hidden=tuple(task_id for task_id in asked.links if task_id not in shown),
        counts=_counts(found) if found else "",
        warnings=tuple(found.warnings) if found else (),
        problems=tuple(asked.problems.get("", ())),
        button=_button(asked, found) if found else "",
        previous_start=max(0, asked.start - PAGE) if asked.start else None,
        next_start=asked.start + PAGE if asked.start + PAGE < len(listed) else None,
        chooses=asked.kind in {"copy", "mixed"},
    )


def _name(asked: CloneAsked, root: Task) -> str:
    return (gettext("Copy of %(name)s") % {"name": root.name})[:255] if asked.kind == "copy" else root.name


def _line(line: PreviewTask, asked: CloneAsked, task: Task) -> CloneLine:
    editable = line.role == "copy" and bool(task.executor)
    inputs = json.dumps(task.inputs, indent=2, ensure_ascii=False) if editable else None
    return CloneLine(
        id=line.source_id,
        name=line.name,
        url=f"/tasks/{task.pk}",
        indent=18 * min(line.depth, 12),
        role=line.role,
        why=line.why,
        state=task_state(task),
        linkable=asked.kind == "mixed" and task.status == Status.COMPLETED and bool(task.executor),
        linked=line.source_id in asked.links,
        inputs=asked.texts.get(line.source_id, inputs) if editable else None,
        changed=line.source_id in asked.texts,
        problems=tuple(asked.problems.get(line.source_id, ())),
    )


def _counts(found: ClonePreview) -> str:
    counts = found.counts
    roles = [f"{counts[role]:,} {word}" for role, word in
             (("copy", "copied"), ("link", "linked"), ("archived", "archived")) if counts[role]]  # fmt: skip
    dropped = (gettext(", %(value)s dropped") % {"value": f"{counts['dropped']:,}"}) if counts["dropped"] else ""
    kept = counts["dependencies"]
    edges = counted(kept, "dependency")
    return gettext("%(count)s (%(value)s), %(edges)s kept%(dropped)s") % {
        "count": counted(counts["tasks"], "task"),
        "value": ", ".join(roles),
        "edges": edges,
        "dropped": dropped,
    }


def _button(asked: CloneAsked, found: ClonePreview) -> str:
    counts = found.counts
    if asked.kind == "mixed":
        copies = counted(counts["copy"], "copy")
        return gettext("Make a tree of %(count)s and %(copies)s") % {
            "count": counted(counts["link"], "link"),
            "copies": copies,
        }
    return f"{VERBS[asked.kind]} {counted(counts['tasks'], 'task')}"
