"""Example trees to start from: the files of examples/."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

SUFFIXES = {".json", ".yaml", ".yml"}


@dataclass(frozen=True, slots=True)
class Starter:
    """A file of examples/ as a choice."""

    key: str
    title: str


@lru_cache(maxsize=1)
def starters() -> tuple[Starter, ...]:
    """The example trees, by name."""
    files = sorted(path for path in _folder().glob("*") if path.suffix in SUFFIXES)
    return tuple(Starter(path.name, path.stem.replace("_", " ").replace("-", " ").capitalize()) for path in files)


def starter_text(key: str) -> str:
    """The text of example *key*; "" when there is none of that name."""
    known = {starter.key for starter in starters()}
    return (_folder() / key).read_text(encoding="utf-8") if key in known else ""


def _folder() -> Path:
    return Path(settings.BASE_DIR) / "examples"
