"""How many processes of pytest-xdist `manage.py test` starts, unless its caller has said so."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

MOST = 4  # more would rather wait for each other: many tests start servers and browsers of their own
# a whole file goes to one process, so that its server is started once; tests/support_speed.py says which goes first
DISTRIBUTION = ("--dist", "loadfile", "--no-loadscope-reorder")
# with these the caller decides, or the output is for somebody who looks at one process
ALONE = frozenset({
    "-n", "--numprocesses", "--maxprocesses", "--dist", "--tx", "-d", "--pdb", "--trace", "-s", "--capture=no", "--co",
    "--collect-only", "--collectonly", "-h", "--help", "-V", "--version", "--fixtures", "--markers",
})  # fmt: skip


def parallel(given: Sequence[str], root: Path) -> list[str]:
    """Options for pytest that spread the tests over processes; none when it would not pay or is not wanted.

    It does not pay for a single file: a process takes some seconds to start.
    """
    processes = min(cores() + 2, MOST)  # some wait for a browser, a lease or a lock meanwhile
    if cores() < 2 or any(map(_is_decision, given)) or _one_file(given, root):
        return []
    return ["-n", str(processes), *DISTRIBUTION]


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _is_decision(argument: str) -> bool:
    name = argument.partition("=")[0]
    short = argument.startswith("-n") and argument[2:].isalnum()
    return argument in ALONE or name in ALONE or short or argument.endswith("no:xdist")


def _one_file(given: Sequence[str], root: Path) -> bool:
    """Whether the arguments name files and all of them lie in one."""
    files: set[Path] = set()
    for place in (root / argument.partition("::")[0] for argument in given if not argument.startswith("-")):
        if place.exists():
            files |= {place} if place.is_file() else set(place.rglob("test_*.py"))
    return len(files) == 1
