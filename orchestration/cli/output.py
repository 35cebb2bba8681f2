"""What is printed. Everything that a server says is hostile text: no markup, no control characters."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestration.cli.failure import Failure

MAX_CELL = 80
MAX_LINE = 400
STYLES = {"completed": "green", "failed": "red", "cancelled": "yellow", "in_progress": "cyan"}


def plain(value: Any, limit: int = MAX_LINE) -> str:
    """*value* on one line of at most *limit* characters; what could steer a terminal is written as an escape."""
    text = "" if value is None else str(value)
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in cut)


class Output:
    """Prints for people, or JSON for programs."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def data(self, value: Any) -> None:
        """*value* as JSON. Only ASCII, so nothing in it reaches the terminal raw."""
        print(json.dumps(value, indent=2))

    def line(self, text: str, style: str = "") -> None:
        """One line for people; *text* may hold anything."""
        self.console.print(Text(plain(text), style=style))

    def event(self, event: dict[str, Any], text: str) -> None:
        """One event: a line of JSON, or *text*."""
        if self.as_json:
            print(json.dumps(event), flush=True)
        else:
            self.line(text)

    def table(self, titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Rows under titles."""
        table = Table(box=None, pad_edge=False)
        for title in titles:
            table.add_column(title, no_wrap=True)
        for row in rows:
            table.add_row(*(Text(text, style=STYLES.get(text, "")) for text in (plain(c, MAX_CELL) for c in row)))
        self.console.print(table)

    def fields(self, value: dict[str, Any], names: Sequence[str]) -> None:
        """An object, a line per field."""
        for name in names:
            self.line(f"{name:>12}  {plain(value.get(name), MAX_LINE - 20)}")

    def failure(self, failure: Failure) -> None:
        """Why it did not work, on the standard error."""
        if self.as_json:
            print(json.dumps(failure.details or {"error": {"message": failure.message}}), file=sys.stderr)
            return
        for line in failure.message.splitlines() or [""]:
            print(f"apflowctl: {plain(line)}", file=sys.stderr)
