"""Figures of benchmarks for people."""

from __future__ import annotations

from typing import Any


def shown(value: Any, nothing: str = "-") -> str:
    """*value* as a cell of a table; *nothing*: for None."""
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return nothing if value is None else f"{value:,}" if isinstance(value, int | float) else str(value)
