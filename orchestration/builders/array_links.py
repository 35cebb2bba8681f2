"""The references of one array: ids and names made into ids, and every rule about the shape of a tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestration.builders.array_fields import Reference, Row
from orchestration.builders.array_problems import Problems
from orchestration.conf import Conf
from orchestration.domain.graph import cycle_text, find_cycle, pre_order
from orchestration.domain.json_gate import safe_text
from orchestration.domain.spec import DependencySpec
from orchestration.domain.task_fields import did_you_mean

SHOWN = 5
SUGGEST_UP_TO = 2_000  # comparing a wrong name with more takes too long


@dataclass(slots=True)
class Links:
    """Resolves what the rows of one array say about each other. Rows are known by their index."""

    rows: Sequence[Row]
    ids: Sequence[str]  # 32 hex digits each
    problems: Problems
    by_key: dict[str, int] = field(default_factory=dict)
    by_name: dict[str, list[int]] = field(default_factory=dict)
    parents: dict[int, int | None] = field(default_factory=dict)
    edges: dict[int, list[int]] = field(default_factory=dict)
    dependencies: dict[int, list[DependencySpec]] = field(default_factory=dict)

    def index(self) -> None:
        """Know every row by id and by name. Problems: an id that is used twice."""
        for index, row in enumerate(self.rows):
            if row.name:
                self.by_name.setdefault(row.name, []).append(index)
            if row.key is None:
                continue
            first = self.by_key.setdefault(row.key, index)
            if first != index:
                message = f"id '{_short(row.key)}' is used by {self.rows[first].path} already: give each task its own"
                self.problems.add(f"{row.path}.id", message, "duplicate_id")

    def resolve_parents(self, conf: Conf) -> list[tuple[int, int]]:
        """(row, depth) in pre-order. Problems: unknown or ambiguous parents, cycles, depth, not exactly one root."""
        before = len(self.problems)
        for index, row in enumerate(self.rows):
            parent = None
            if row.parent is not None:
                parent = self._find(row.parent, f"{row.path}.parent_id", "a parent is in the same array")
            self.parents[index] = parent
        if len(self.problems) > before:
            return []
        walk = pre_order(self.parents)
        if len(walk) < len(self.rows):  # what is left out hangs on a cycle
            above = {task: () if up is None else (up,) for task, up in self.parents.items()}
            cycle = find_cycle(self.parents, above) or []
            text = cycle_text([_short(self.rows[i].name) for i in cycle], "is inside")
            message = f"parents form a cycle: {text}; take the parent_id of one of them away"
            self.problems.add(f"{self.rows[cycle[0]].path}.parent_id", message, "parent_cycle")
        self._check_roots()
        deepest = max(walk, key=lambda pair: pair[1], default=(0, 0))
        if deepest[1] > conf.max_parents:
            message = f"lies {deepest[1]} parents deep, {conf.max_parents} are allowed: flatten the outline"
            self.problems.add(f"{self.rows[deepest[0]].path}.parent_id", message, "too_deep")
        return walk

    def _check_roots(self) -> None:
        roots = [self.rows[index] for index, parent in self.parents.items() if parent is None]
        if len(roots) == 1:
            return
        if not roots:
            message = "no root task: exactly one task must have no parent_id"
        else:
            named = ", ".join(f"'{_short(row.name)}' {row.path}" for row in roots[:SHOWN])
            more = f" and {len(roots) - SHOWN} more" if len(roots) > SHOWN else ""
            message = (
                f"{len(roots)} tasks have no parent_id ({named}{more}), but a tree has exactly one root: "
                "give the others a parent_id"
            )
        self.problems.add("", message, "no_root" if not roots else "many_roots")

    def resolve_dependencies(self, conf: Conf) -> None:
        """Fill `edges` and `dependencies`. Problems: unknown, ambiguous or own task, too many, cycles."""
        if sum(len(row.references) for row in self.rows) > conf.max_dependencies:
            self.problems.add("", f"more than {conf.max_dependencies} dependencies: split the tree", "too_many")
            return
        for index, row in enumerate(self.rows):
            if row.references:
                self._resolve_row(index, row)
        cycle = find_cycle(range(len(self.rows)), self.edges)
        if cycle:
            text = cycle_text([_short(self.rows[i].name) for i in cycle])
            message = f"dependencies form a cycle: {text}; remove one of these dependencies"
            self.problems.add(f"{self.rows[cycle[0]].path}.dependencies", message, "cycle")

    def _resolve_row(self, index: int, row: Row) -> None:
        found: dict[int, Reference] = {}
        for place, reference in enumerate(row.references):
            if not reference.text:
                continue  # its problem is known already
            target = self._target(row, place, reference)
            if target == index:
                message = f"'{_short(row.name)}' waits for itself: remove this dependency"
                self.problems.add(f"{row.path}.dependencies[{place}]", message, "cycle")
            elif target is not None:
                found.setdefault(target, reference)
        self.edges[index] = list(found)
        self.dependencies[index] = [
            DependencySpec(self.ids[target], reference.required, reference.map, reference.as_key)
            for target, reference in found.items()
        ]

    def _target(self, row: Row, place: int, reference: Reference) -> int | None:
        target = None if reference.by_name else self.by_key.get(reference.text)
        if target is not None:  # most of them: no path to be made
            return target
        where = f"{row.path}.dependencies[{place}]"
        return self._find(reference.text, where, "a task can wait only for tasks of the same tree", reference.by_name)

    def _find(self, text: str, where: str, rule: str, name_first: bool = False) -> int | None:
        if not name_first and text in self.by_key:
            return self.by_key[text]
        named = self.by_name.get(text, ())
        if len(named) == 1:
            return named[0]
        if named:
            used = ", ".join(self.rows[i].path for i in named[:SHOWN])
            message = f"{len(named)} tasks are named '{_short(text)}' ({used}): give them ids and refer to one of these"
            self.problems.add(where, message, "ambiguous_name")
        elif text in self.by_key:
            return self.by_key[text]
        else:
            known = [*self.by_key, *self.by_name]
            hint = did_you_mean(text, known) if len(known) <= SUGGEST_UP_TO else ""
            message = f"'{_short(text)}' is not the id or name of a task of this array{hint or f': {rule}'}"
            self.problems.add(where, message, "unknown_reference")
        return None


def _short(text: str) -> str:
    return safe_text(text, 64)
