"""Where each input of an attempt came from, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.domain.explain.facts import MAX_NAME, quoted
from orchestration.domain.merging import DECLARED, DEPENDENCY, OVERRIDE
from orchestration.domain.words import gettext


@dataclass(frozen=True, slots=True)
class InputOrigin:
    """One input: `words` says all; `task` (32 hex digits) is there for a link when a dependency gave it."""

    key: str
    words: str
    source: str
    task: str | None = None
    shadows: tuple[str, ...] = ()  # values that were there too and not taken, in words


def provenance_words(provenance: Mapping[str, Any], names: Mapping[str, str]) -> list[InputOrigin]:
    """One entry per input, in stored order. *names*: task id (32 hex digits) -> name. Never raises."""
    return [_origin(key, entry if isinstance(entry, dict) else {}, names) for key, entry in provenance.items()]


def _origin(key: str, entry: Mapping[str, Any], names: Mapping[str, str]) -> InputOrigin:
    listed = entry.get("shadows")
    shadows = tuple(_words(s, names) for s in listed if isinstance(s, dict)) if isinstance(listed, list) else ()
    words = _words(entry, names)
    task = _task(entry) if entry.get("source") == DEPENDENCY else None
    if shadows:
        words = gettext("%(origin)s; shadows: %(others)s") % {"origin": words, "others": ", ".join(shadows)}
    return InputOrigin(key, words, str(entry.get("source", "")), task or None, shadows)


def _task(entry: Mapping[str, Any]) -> str:
    return str(entry.get("task", "")).replace("-", "")


def _words(entry: Mapping[str, Any], names: Mapping[str, str]) -> str:
    source = entry.get("source")
    if source == DECLARED:
        return gettext("declared")
    if source == OVERRIDE:
        return gettext("override of this run")
    if source != DEPENDENCY:
        return gettext("of unknown origin")
    name = names.get(_task(entry))
    path = str(entry.get("path", ""))
    path = path if len(path) <= MAX_NAME else f"{path[: MAX_NAME - 1]}…"
    path = f".{path}" if path else ""
    if name is None:
        return gettext("from a deleted task → result%(path)s") % {"path": path}
    return gettext("from %(name)s → result%(path)s") % {"name": quoted(name), "path": path}
