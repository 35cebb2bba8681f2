"""F2, and what the whole must show: random kill -9 of engine, worker and web, by the play of `manage.py soak`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from orchestration.soak.nemesis import ALL, KILLS
from orchestration.soak.play import Script, play
from tests.faults.support import environment
from tests.settings import POSTGRES
from tests.support_postgres import new_database, require
from tests.support_processes import ROOT

pytestmark = [pytest.mark.fault, pytest.mark.slow]

NUMBER = int(os.environ.get("FAULT_KILLS", "100"))
SEED = os.environ.get("FAULT_SEED") or os.urandom(4).hex()


def variables(folder):
    require() if POSTGRES else None
    own = {"DATABASE_URL": new_database()} if POSTGRES else {}
    return environment(folder, APFLOW_SQLITE_SYNCHRONOUS="NORMAL", **own)


def test_random_kills(tmp_path, capsys):
    with capsys.disabled():
        print(f"\nrandom kills: FAULT_SEED={SEED} FAULT_KILLS={NUMBER}", flush=True)
        report = play(Script(SEED, KILLS, kills=NUMBER), tmp_path, variables(tmp_path), root=ROOT, say=print)
        print(json.dumps(report.figures), flush=True)
    assert report.faults == []
    figures = report.figures
    assert sum(figures["faults"].values()) == NUMBER
    assert {name.split()[1] for name in figures["faults"]} == (
        {"engine", "worker", "web"} if POSTGRES else {"server", "web"}
    )
    assert figures["accepted"] == sum(figures["runs"].values()) > 0
    assert figures["interrupted"].get("engine_lost", 0) > 0, "no kill has hit anything"


def test_a_short_soak(tmp_path):
    own = variables(tmp_path) | {"APFLOW_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "manage.py", "soak", "--minutes", "0.3", "--seed", SEED, "--json"]
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, timeout=400)
    report = json.loads(done.stdout.splitlines()[0])
    assert done.returncode == 0, report["faults"]
    assert report["good"]
    assert report["seed"] == SEED
    kinds = {name.split()[0] for name in report["figures"]["faults"]}
    assert len(kinds) >= 3, f"of {ALL}: {kinds}"
    assert report["figures"]["accepted"] > 3
    assert not (tmp_path / "apflow.sqlite3").exists(), "it has touched the user's database"


def test_the_judge_finds_what_is_wrong(place):
    """Each of the things that the soak looks for, made on purpose."""
    run = place.begin(place.task("a"), place.task("b"))
    place.running()
    assert place.run_ended(run) == "completed"
    place.right(once=["a", "b"])
    judge = "orchestration.soak.inside:judge"
    effects = str(place.effects)
    names = ["root"]

    def faults(*arguments):
        return " ".join(place.call(judge, *arguments)["faults"])

    assert faults(effects, {str(run): ["completed"]}, names) == ""
    assert "is not there" in faults(effects, {str(run): ["completed"], "77": ["completed"]}, names)
    assert "nobody was told" in faults(effects, {}, names)
    assert "not as failed" in faults(effects, {str(run): ["failed"]}, names)
    assert "is there 1 times" in faults(effects, None, [])
    lines = place.effects.read_text().splitlines(keepends=True)
    lost = place.folder / "lost"
    lost.write_text("".join(line for line in lines if not line.startswith("did") or " b " not in line))
    assert "no effect" in faults(str(lost), None, None)
    twice = place.folder / "twice"
    twice.write_text("".join(lines) * 2)
    assert "2 effects in 1 attempts" in faults(str(twice), None, None)
    with place.rows() as rows:
        rows.execute("DELETE FROM orchestration_event WHERE seq = 3")
    assert "events expected" in faults(effects, None, None)
