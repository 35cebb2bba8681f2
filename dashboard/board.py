"""The builder's page of one draft, whole or in fragments."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext_lazy

from dashboard.contexts.builder import checks_of, edge_forms, findings_of, forecast_of, lines_of
from dashboard.contexts.builder_graph import drawing
from dashboard.draft_ops import choices, input_schema, inputs_text
from dashboard.forms_builder import TaskForm
from dashboard.live import partial
from dashboard.schema_forms import SchemaForm, schema_form
from orchestration.builders.draft import own_ids, shown_array, spec_of_draft
from orchestration.conf import conf
from orchestration.domain.errors import Invalid
from orchestration.domain.explain.dryrun import SlotLimits
from orchestration.domain.lint import Finding
from orchestration.domain.outline_edit import Array, Item
from orchestration.executors.registry import find
from orchestration.models import TreeDraft
from orchestration.selectors.explain_history import history, slot_limits
from orchestration.services.drafts import draft_around
from orchestration.services.structure import Changes, tree_changes

VIEWS = {"task": gettext_lazy("Task"), "graph": gettext_lazy("Graph"), "json": "JSON", "dry": gettext_lazy("Dry run")}
CHOICES = 1000  # tasks offered while typing the name of one


@dataclass(slots=True)
class Board:
    """One draft as one person looks at it."""

    request: HttpRequest
    draft: TreeDraft
    array: Array
    task: str
    view: str
    form: TaskForm | None = None
    inputs: SchemaForm | None = None
    typed: str = ""  # JSON that came back with problems
    problems: list[Any] = field(default_factory=list)
    _findings: list[Finding] | None = None

    def __post_init__(self) -> None:
        if not any(item["id"] == self.task for item in self.array):
            self.task = self.array[0]["id"]
        if self.view not in VIEWS:
            self.view = "task"

    @property
    def item(self) -> Item:
        return next(item for item in self.array if item["id"] == self.task)

    @property
    def findings(self) -> list[Finding]:
        if self._findings is None:
            self._findings = findings_of(self.array)
        return self._findings

    def url(self, **changes: str) -> str:
        """The address of the page, with what it shows."""
        base = f"/trees/{self.draft.tree_id}/edit" if self.draft.tree_id else f"/trees/build/{self.draft.pk}"
        return f"{base}?task={changes.get('task', self.task)}&view={changes.get('view', self.view)}"

    def html(self, name: str, context: dict[str, Any]) -> str:
        """A template of the builder as text."""
        common = {"board": self, "draft": self.draft, "item": self.item, "task": self.task, "view": self.view}
        return render_to_string(f"dashboard/builder/{name}.html", common | context, self.request)

    def page(self) -> dict[str, Any]:
        """What the page needs."""
        parts = {
            "head_html": self.head(),
            "tools_html": self.tools(),
            "lines_html": self.outline(),
            "checks_html": self.checks(),
            "side_html": self.side(),
        }
        return parts | {"board": self, "draft": self.draft, "name": self.array[0]["name"], "task": self.task}

    def head(self) -> str:
        undo, redo = draft_around(self.draft)
        changes = self._changes()
        checks = checks_of(self.array, self.findings)
        context = {"name": self.array[0]["name"], "count": len(self.array), "undo": undo, "redo": redo}
        stale = self.draft.tree is not None and self.draft.base_version != self.draft.tree.version
        return self.html("head", context | {"changes": changes, "checks": checks, "stale": stale})

    def _changes(self) -> Changes | None:
        if self.draft.tree is None:
            return None
        try:
            return tree_changes(self.draft.tree, spec_of_draft(self.array, own_ids(self.draft.tree)))
        except Invalid:
            return None

    def tools(self) -> str:
        return self.html("tools", {})

    def outline(self) -> str:
        return self.html("lines", {"lines": lines_of(self.array, self.findings, self.task)})

    def checks(self) -> str:
        return self.html("checks", {"checks": checks_of(self.array, self.findings)})

    def side(self) -> str:
        """The chosen view."""
        context = {"task": self._task_view, "graph": self._graph, "json": self._json, "dry": self._dry}[self.view]()
        tabs = [(key, word, self.url(view=key), key == self.view) for key, word in VIEWS.items()]
        return self.html("side", {"tabs": tabs} | context)

    def _task_view(self) -> dict[str, Any]:
        item = self.item
        schema = input_schema(item)
        return {
            "form": self.form or TaskForm(item),
            "inputs": self.inputs or schema_form(schema, old=item.get("inputs", {}), enforce=False),
            "executor": find(item.get("executor", "")),
            "raw": self.typed or inputs_text(item),
            "edges": edge_forms(self.array, item),
            "choices": choices(self.array[:CHOICES], self.task),
            "own": [f for f in self.findings if f.task == self.task],
            "is_root": not item.get("parent_id"),
            "more_open": bool({"timeout_s", "max_attempts", "backoff", "params"} & set(item)),
        }

    def _graph(self) -> dict[str, Any]:
        return {"drawing": drawing(self.array, self.findings, self.task), "choices": choices(self.array[:CHOICES])}

    def _json(self) -> dict[str, Any]:
        shown = shown_array(self.array, ids=self.draft.tree_id is not None)
        lines = ",\n  ".join(json.dumps(item, ensure_ascii=False) for item in shown)
        return {"text": self.typed or f"[\n  {lines}\n]\n", "problems": self.problems[:50]}

    def _dry(self) -> dict[str, Any]:
        slots, alive = slot_limits(timezone.now())
        if not alive:
            slots = SlotLimits(conf().process_slots, conf().async_slots)
        durations = history(self.draft.tree_id) if self.draft.tree_id else {}
        return {"forecast": forecast_of(self.array, durations, slots)}

    def partials(self, *parts: str) -> str:
        """*parts* (head, tools, lines, checks, side) as fragments for htmx."""
        made = {
            "head": self.head,
            "tools": self.tools,
            "lines": self.outline,
            "checks": self.checks,
            "side": self.side,
        }
        swaps = {"lines": "innerMorph"}
        return "".join(partial(f"#b-{part}", made[part](), swaps.get(part, "outerMorph")) for part in parts)

    def partials_quiet(self) -> str:
        """What follows from a form that is left alone while somebody fills it in."""
        context = self._task_view() if self.view == "task" else {}
        return partial("#b-raw", self.html("raw", context)) if context else ""
