"""Numbers of things in words, in the language of the catalogue."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.translation import ngettext

_NOUNS: dict[str, Callable[[int], str]] = {
    "task": lambda n: ngettext("%(n)s task", "%(n)s tasks", n),
    "tree": lambda n: ngettext("%(n)s tree", "%(n)s trees", n),
    "run": lambda n: ngettext("%(n)s run", "%(n)s runs", n),
    "link": lambda n: ngettext("%(n)s link", "%(n)s links", n),
    "copy": lambda n: ngettext("%(n)s copy", "%(n)s copies", n),
    "dependency": lambda n: ngettext("%(n)s dependency", "%(n)s dependencies", n),
    "duration": lambda n: ngettext("%(n)s duration", "%(n)s durations", n),
    "other": lambda n: ngettext("%(n)s other", "%(n)s others", n),
    "executor": lambda n: ngettext("%(n)s executor", "%(n)s executors", n),
    "error": lambda n: ngettext("%(n)s error", "%(n)s errors", n),
    "warning": lambda n: ngettext("%(n)s warning", "%(n)s warnings", n),
    "hint": lambda n: ngettext("%(n)s hint", "%(n)s hints", n),
    "attempt": lambda n: ngettext("%(n)s attempt", "%(n)s attempts", n),
}


def counted(count: int, noun: str) -> str:
    """ "1 task", "4,000 tasks"; *noun* is one of those above."""
    return _NOUNS[noun](count) % {"n": f"{count:,}"}
