"""`manage.py bench flat`: what a task costs while their number grows; `bench idle`: what a server costs at rest."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from orchestration.conf import conf
from orchestration.management.bench_process import measured

LEAST, MOST = 100, 100_000
GROWTH = 10
COLUMNS = ("tasks", "trees", "tasks_per_s", "cpu_ms_per_task", "peak_mb", "kb_per_task", "floor_tasks_per_s")


def measure_flat(most: int, synchronous: str) -> list[dict[str, Any]]:
    """One row per size: W3 of 100, 1,000 ... tasks up to *most*; beyond the limit of a tree, several at once."""
    rows: list[dict[str, Any]] = []
    tasks = LEAST
    while tasks <= max(LEAST, most):
        trees = -(-tasks // conf().max_tasks)
        row = measured("W3", tasks // trees, synchronous=synchronous, trees=trees) | {"trees": trees}
        row["cpu_ms_per_task"] = round(1000 * row["cpu_s"] / row["tasks"], 4)
        row["kb_per_task"] = _growth_kb(rows[0], row) if rows else None
        rows.append(row)
        tasks *= GROWTH
    return rows


def table(rows: list[dict[str, Any]]) -> Table:
    """*rows* for people."""
    made = Table(*(name.replace("_", " ") for name in COLUMNS), title="W3, one process per row")
    for column in made.columns:
        column.justify = "right"
    for row in rows:
        made.add_row(*("-" if row[name] is None else f"{row[name]:,}" for name in COLUMNS))
    return made


def idle_table(figures: dict[str, Any]) -> Table:
    """The same for `measure_idle`."""
    made = Table("figure", "value", title="A server at rest: manage.py up, without a run, without a viewer")
    made.columns[1].justify = "right"
    for name, value in figures.items():
        made.add_row(name, f"{value:,}")
    return made


def _growth_kb(first: dict[str, Any], row: dict[str, Any]) -> float:
    """Peak memory per task that is more than in the *first* row."""
    return float(round((row["peak_mb"] - first["peak_mb"]) * 1024 / (row["tasks"] - first["tasks"]), 2))
