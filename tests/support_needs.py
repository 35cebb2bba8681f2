"""What some tests need besides Python: where it is missing they are skipped, and the summary says what to install.

With APFLOW_E2E_REQUIRED=1 (.ci/run) nothing may be missing: there every skip is a failure, except for what shows on one
database alone and says so: its reason begins with ONLY_ON.
"""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
E2E_REMEDY = "install it with: .venv/bin/python -m pip install --require-hashes -r requirements-e2e.lock"
ONLY_ON = "only on "


def required() -> bool:
    """Whether a test that cannot run is a failure."""
    return os.environ.get("APFLOW_E2E_REQUIRED") == "1"


def need(missing: str) -> None:
    """Skips the test, or fails it, when something is *missing*: a sentence with the remedy, "" when nothing is."""
    if missing and required():
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)


def e2e_missing() -> str:
    """Of the browser tests."""
    if importlib.util.find_spec("playwright") is None:
        return f"playwright is missing: {E2E_REMEDY}"
    if not any(shutil.which(name) for name in CHROMIUM_NAMES):
        return "no Chromium on PATH: install it with: apt-get install chromium"
    return ""


def fuzz_missing() -> str:
    """Of the fuzz tests."""
    return "" if importlib.util.find_spec("schemathesis") else f"schemathesis is missing: {E2E_REMEDY}"


def redis_missing() -> str:
    """Of tests that start a Redis."""
    found = shutil.which("redis-server") and shutil.which("redis-cli")
    return "" if found else "redis-server is not installed: install it with: apt-get install redis-server"


def refuse_skip(report: pytest.TestReport) -> None:
    """Turn a skip that must not be into a failure."""
    if not report.skipped or hasattr(report, "wasxfail") or not required():
        return
    place = report.longrepr
    reason = str(place[2] if isinstance(place, tuple) else place).removeprefix("Skipped: ")
    if not reason.startswith(ONLY_ON):
        report.outcome = "failed"
        report.longrepr = f"skipped, which APFLOW_E2E_REQUIRED=1 does not allow: {reason}"
