"""A run in the terminal. Names and errors are hostile text: shown without markup and without control characters."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestration.domain.states import Status
from orchestration.selectors.results import COUNTED, Glance

MAX_NAME, MAX_ERROR = 60, 200
BAR = 30
STYLES = {Status.COMPLETED.value: "green", Status.FAILED.value: "red", Status.CANCELLED.value: "yellow"}


def plain(text: str, limit: int) -> str:
    """*text* on one line, cut to *limit* characters; whatever could steer a terminal is written as an escape."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in cut)


def first_line(glance: Glance) -> str:
    """What has started."""
    return f"Run #{glance.number} of '{plain(glance.tree, MAX_NAME)}': {glance.counts['total']} tasks"


def last_line(glance: Glance) -> str:
    """How it ended."""
    return f"Run #{glance.number} {plain(glance.status, MAX_NAME)} in {glance.elapsed_s:.1f} s: {_told(glance)}"


def failures(glance: Glance) -> list[str]:
    """One line per failed task, the first few."""
    return [f"{plain(name, MAX_NAME)}: {plain(error, MAX_ERROR)}" for name, error in glance.failed]


class RunScreen:
    """A display that is drawn over itself while the run goes on; use it as a context manager."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> RunScreen:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, value, trace)

    def show(self, glance: Glance) -> None:
        """Draw *glance* in place of what was drawn before."""
        self._live.update(drawn(glance), refresh=True)


def drawn(glance: Glance) -> RenderableType:
    """One bar for all tasks, then those that are running, then those that have failed."""
    total = max(1, glance.counts["total"])
    parts: list[RenderableType] = [
        Text(first_line(glance), style="bold"),
        _line("", glance.ended / total, f"{glance.ended} of {glance.counts['total']} ended, {glance.elapsed_s:.1f} s"),
        Text(_told(glance), style=STYLES.get(glance.status, "")),
        *[_line(plain(name, MAX_NAME), progress, f"{progress:.0%}") for name, progress in glance.running],
        *[Text(f"✗ {line}", style="red") for line in failures(glance)],
    ]
    return Group(*parts)


def _line(name: str, fraction: float, told: str) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        ProgressBar(total=1.0, completed=fraction, width=BAR, complete_style="cyan", finished_style="green"),
        Text(told),
        Text(name),
    )
    return grid


def _told(glance: Glance) -> str:
    named = [f"{glance.counts[name]} {name}" for name in (*COUNTED, "pending") if glance.counts[name]]
    return ", ".join(named) or "nothing to do"
