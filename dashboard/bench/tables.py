"""Figures for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH = 140

type Rows = Sequence[Mapping[str, Any]]


def text_of(figures: Mapping[str, Rows]) -> str:
    """A table for each name: a line for each row, a column for each figure that one of them has."""
    console = Console(highlight=False, width=WIDTH)
    with console.capture() as captured:
        for name, rows in figures.items():
            console.print(table_of(name, rows))
    return captured.get()


def table_of(title: str, rows: Rows) -> Table:
    """*rows* under *title*."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(*(name.replace("_", " ") for name in names), title=title)
    for place, column in enumerate(table.columns):
        if any(isinstance(row.get(names[place]), int | float) for row in rows):
            column.justify = "right"
    for row in rows:
        table.add_row(*(_shown(row.get(name)) for name in names))
    return table


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
