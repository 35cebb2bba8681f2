"""A run while it goes on: a picture in a terminal, lines elsewhere."""

from __future__ import annotations

import time
from typing import Any

from rich.live import Live
from rich.text import Text

from orchestration.cli.client import Client
from orchestration.cli.failure import DONE, RUN_FAILED
from orchestration.cli.output import MAX_CELL, STYLES, Output, plain
from orchestration.domain.states import Kind, Status

FRAME_S = 0.1
NAMES = 2000  # tasks whose names are fetched; others are shown by id
SHOWN = 8
BAR = 30
STATES = {
    Kind.TASK_STARTED: "running",
    Kind.TASK_COMPLETED: "completed",
    Kind.TASK_FAILED: "failed",
    Kind.TASK_CANCELLED: "cancelled",
    Kind.TASK_BLOCKED: "blocked",
    Kind.TASK_RETRYING: "waiting",
}


class Story:
    """What the events have told so far."""

    def __init__(self, run: dict[str, Any], names: dict[str, str]) -> None:
        self.run, self.names = run, names
        self.states: dict[str, str] = {}

    def take(self, event: dict[str, Any]) -> None:
        """One more event."""
        if event["task"] and event["kind"] in STATES:
            self.states[event["task"]] = STATES[Kind(event["kind"])]

    def counts(self) -> dict[str, int]:
        """How many tasks there are in each state that one is in."""
        found = dict.fromkeys(("completed", "running", "failed", "cancelled", "blocked"), 0)
        for state in self.states.values():
            found[state] = found.get(state, 0) + 1
        return {state: number for state, number in found.items() if number}

    def told(self, event: dict[str, Any]) -> str:
        """The event in a line."""
        name = self.names.get(event["task"] or "", event["task"] or "")
        error = plain(event["data"].get("error"), MAX_CELL * 2)
        parts = [f"{event['seq']:>5}", event["at"][11:19], str(event["kind"]), plain(name, MAX_CELL), error]
        return "  ".join(part for part in parts if part)

    def drawn(self) -> Text:
        """The picture."""
        total = self.run["total"] or 1
        counts = self.counts()
        ended = sum(number for state, number in counts.items() if state not in ("running", "waiting"))
        filled = BAR * min(ended, total) // total
        told = ", ".join(f"{number} {state}" for state, number in counts.items())
        text = Text(f"Run #{self.run['number']} [{'█' * filled}{'·' * (BAR - filled)}] {ended}/{total}  {told}")
        running = [task for task, state in self.states.items() if state == "running"]
        for task in running[:SHOWN]:
            text.append(f"\n  {plain(self.names.get(task, task), MAX_CELL)}", style="cyan")
        if len(running) > SHOWN:
            text.append(f"\n  and {len(running) - SHOWN} more")
        return text


def watch(client: Client, out: Output, run: dict[str, Any], after: int = 0, *, lines: bool = False) -> int:
    """Show the run until it ends; 0 if it has completed, else 1. Raises Failure. *lines*: every event, no picture."""
    rows = [] if out.as_json else client.listed(f"trees/{run['tree']}/tasks/", NAMES, fields="id,name")
    story = Story(run, {row["id"]: row["name"] for row in rows})
    if lines or out.as_json or not out.console.is_terminal:
        for event in client.events(run["id"], after):
            out.event(event, story.told(event))
    else:
        _picture(client, out, story, after)
    ended = client.get(f"runs/{run['id']}/")
    if not out.as_json:
        counts = ", ".join(
            f"{ended[key]} {key}" for key in ("completed", "failed", "cancelled", "blocked") if ended[key]
        )
        out.line(f"Run #{ended['number']} {ended['status']}: {counts}", STYLES.get(ended["status"], ""))
    return DONE if ended["status"] == Status.COMPLETED else RUN_FAILED


def _picture(client: Client, out: Output, story: Story, after: int) -> None:
    drawn = 0.0
    with Live(story.drawn(), console=out.console, auto_refresh=False) as live:
        for event in client.events(story.run["id"], after):
            story.take(event)
            if time.monotonic() - drawn >= FRAME_S:
                drawn = time.monotonic()
                live.update(story.drawn(), refresh=True)
        live.update(story.drawn(), refresh=True)
