"""What tests of child processes share."""

from __future__ import annotations

from orchestration.domain.work import Work

GRACE_S = 0.3
OPTIONS = {
    "grace_s": GRACE_S,
    "preload": ("tests.support_executors",),
    "max_result_bytes": 1 << 20,
    "max_log_bytes": 1 << 18,
}


def work_of(executor, **inputs):
    return Work(7, "a" * 32, 3, 2, "name", executor, inputs, {})


def ignore(_fraction, _message):
    return None
