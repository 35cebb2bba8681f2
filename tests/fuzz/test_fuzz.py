"""schemathesis over the whole API, as operator, viewer and stranger: no 5xx, and every answer is a documented one.

What is generated depends on the description alone (no randomness), so a finding comes back until it is mended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.settings import POSTGRES

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LIMIT_S = 400
TOLD = 15_000  # characters of its report
# what it knows of Unicode takes ten seconds to make
STORED = {"HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis")}
CHAIN = (
    ("POST /api/v1/trees/", 201),
    ("POST /api/v1/trees/{tree_id}/runs/", 202),
    ("POST /api/v1/runs/{run_id}/cancel/", 200),
    ("POST /api/v1/runs/{run_id}/retry/", 202),
)
ALONG_THE_CHAIN = "^(tree_create|tree_get|run_start|run_get|run_cancel|run_retry)$"

# What does not fit the description is read and refused alike for everybody who may ask; a stranger may ask nothing.
# FUZZ_EXAMPLES=50 tries more for each operation, by hand.
OPTIONS = {
    "operator": ("--max-examples", os.environ.get("FUZZ_EXAMPLES", "3")),
    "viewer": ("--mode", "positive", "--max-examples", "3"),
    "stranger": ("--mode", "positive", "--max-examples", "1"),
}
PHASES = {
    "operator": {"examples", "coverage", "fuzzing", "stateful"},
    "viewer": {"examples", "fuzzing", "stateful"},
    "stranger": {"examples", "fuzzing"},
}
if POSTGRES:
    # The same is generated here as on SQLite, where all of it is asked. What does not fit is refused before a database
    # hears of it, and were it not, SQLite's run would tell: no data that contradicts the description may be accepted.
    # So here everything is asked that does fit, and may reach PostgreSQL.
    OPTIONS["operator"] += ("--mode", "positive")

pytestmark = [pytest.mark.fuzz, pytest.mark.slow]


@pytest.fixture(scope="module")
def description(server):
    """A file with the description, which strangers do not get."""
    with server.client("operator") as api:
        answer = api.get("schema/").raise_for_status()
    file = server.folder / "schema.json"
    file.write_text(answer.text)
    return file


@pytest.fixture
def fuzz(server, description):
    """Runs schemathesis as somebody; gives what it tells: one dictionary per scenario."""

    def run(role, *options, config="schemathesis.toml"):
        report = server.folder / "report.ndjson"
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / config), "--no-color", "run"]
        command += [str(description), "--url", server.url, "--report", "ndjson", "--report-ndjson-path", str(report)]
        if role in server.tokens:
            command += ["--header", f"Authorization: Bearer {server.tokens[role]}"]
        done = subprocess.run(
            [*command, *options],
            cwd=server.folder,
            env=server.environment | {"APFLOW_FUZZ_ROLE": role, "PYTHONPATH": str(ROOT), **STORED},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-TOLD:] + done.stderr[-TOLD:]
        events = [json.loads(line) for line in report.read_text().splitlines()]
        return [event["ScenarioFinished"] for event in events if "ScenarioFinished" in event]

    return run


def requests(scenarios):
    """(phase, operation, status, requests that led there along links) of every request that was answered."""
    for scenario in scenarios:
        cases = scenario["recorder"].get("cases", {})
        answers = scenario["recorder"].get("interactions", {})
        steps = {}
        for name, case in cases.items():
            response = answers.get(name, {}).get("response") or {}
            steps[name] = (f"{case['value']['method']} {case['value']['path']}", response.get("status_code"))
        for name, case in cases.items():
            way, before = [], case.get("transition")
            while before is not None:
                way.insert(0, steps[before["parent_id"]])
                before = cases[before["parent_id"]].get("transition")
            yield scenario["phase"], *steps[name], tuple(way)


@pytest.mark.parametrize("role", OPTIONS)
def test_every_answer_is_documented(fuzz, server, description, role):
    told = list(requests(fuzz(role, *OPTIONS[role], "--phases", ",".join(PHASES[role]))))
    statuses = Counter(status for _, _, status, _ in told)
    assert not any(status >= 500 for status in statuses if status), statuses
    assert {phase for phase, *_ in told} == PHASES[role]
    paths = json.loads(description.read_text())["paths"]
    every = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert every <= {operation for _, operation, _, _ in told}
    assert (statuses[200] > 100) == (role != "stranger"), statuses
    assert "Traceback" not in (server.folder / "up.log").read_text()


def test_links_lead_from_create_over_run_and_cancel_to_reexecute(fuzz):
    options = ("--mode", "positive", "--include-operation-id-regex", ALONG_THE_CHAIN)
    ways = Counter(
        (*way, (operation, status))
        for _, operation, status, way in requests(fuzz("operator", *options, config="links.toml"))
    )
    assert ways[CHAIN] > 1, ways
