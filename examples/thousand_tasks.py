"""Writes 10_thousand_tasks.json: 20 layers of 50 tasks, each waiting for three of the layer before. Always the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LAYERS, WIDTH, WAITS_FOR = 20, 50, 3
ROOT = "Index the archive"
FILE = Path(__file__).parent / "10_thousand_tasks.json"


def tasks() -> list[dict[str, Any]]:
    """The root, a group per layer and the thousand tasks in them."""
    array: list[dict[str, Any]] = [{"name": ROOT}]
    for layer in range(LAYERS):
        array.append({"name": _group(layer), "parent_id": ROOT})
        array.extend(_task(layer, place) for place in range(WIDTH))
    return array


def _task(layer: int, place: int) -> dict[str, Any]:
    number = layer * WIDTH + place
    task: dict[str, Any] = {
        "name": _name(layer, place),
        "parent_id": _group(layer),
        "executor": "simulate",
        "priority": (0, 1, 2, 2, 2, 2, 2, 2, 3, 3)[number * 7 % 10],
        "inputs": {"duration_s": round(0.02 + number * 37 % 19 / 100, 2), "steps": 2},
    }
    if layer:
        task["dependencies"] = [_name(layer - 1, (place * 3 + step * 17) % WIDTH) for step in range(WAITS_FOR)]
    return task


def _group(layer: int) -> str:
    return f"Pass {layer + 1}"


def _name(layer: int, place: int) -> str:
    return f"Pass {layer + 1}, shelf {place + 1}"


def text() -> str:
    """The file's content: one task a line."""
    return "[\n" + ",\n".join(json.dumps(task, separators=(",", ":")) for task in tasks()) + "\n]\n"


if __name__ == "__main__":
    FILE.write_text(text())
