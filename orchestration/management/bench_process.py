"""One measurement of `manage.py bench`: in a process of its own, on a database of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.contrib.auth.models import User

from orchestration.bench import workloads
from orchestration.bench.floor_django import floor_of_django
from orchestration.bench.measure import measure
from orchestration.management.bench_apart import measured_apart, prepare_inside

RUN_TIMEOUT_S = 1800


def measured(name: str, n: int, *, synchronous: str, trees: int = 1, django: bool = False) -> dict[str, Any]:
    """The figures of *trees* runs at once, from a new process, which inherits nothing: neither a person's settings
    nor what this process has done. *django*: also of the least that Django can do. Raises CommandError.
    """
    arguments = [name, "--n", str(n), "--trees", str(trees), *(["--compare-django"] if django else [])]
    figures: dict[str, Any] = measured_apart(
        "bench",
        arguments,
        timeout_s=RUN_TIMEOUT_S,
        environment={"APFLOW_SQLITE_SYNCHRONOUS": synchronous},
        sqlite=True,
    )
    return figures


def inside(name: str, n: int, folder: Path, trees: int, *, django: bool) -> dict[str, Any]:
    """Measure once, in this process. Raises CommandError unless its data directory is the new *folder*."""
    prepare_inside(str(folder))
    user = User.objects.create_superuser("bench", password=None)
    work = workloads.workload(name, n)
    figures = measure(work, user, trees=trees)
    return figures | (floor_of_django(work) if django else {})
