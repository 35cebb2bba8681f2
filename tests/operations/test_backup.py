"""A backup that is taken while a run is active, restored elsewhere, ends right there."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from orchestration.models import Run
from orchestration.services.runs import run_cancel, run_start
from tests.engine.support import EngineThread, status_of, until
from tests.factories import make_tree, task
from tests.settings import POSTGRES
from tests.support_needs import ONLY_ON
from tests.support_postgres import binaries
from tests.support_processes import database_of

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# a process of its own with the restored directory; it finishes what the backup has left open
RESTORED = """
import asyncio, json, sys
import django
django.setup()
from django.core.management import call_command
from orchestration.engine.embedded import EmbeddedEngine
from orchestration.engine.headless import wait_ended
from orchestration.models import Task

async def main(run_id):
    engine = EmbeddedEngine()
    await engine.start()
    try:
        return str(await asyncio.wait_for(wait_ended(engine, run_id), 60))
    finally:
        await engine.stop()

status = asyncio.run(main(int(sys.argv[1])))
call_command("verify_log", stdout=sys.stderr)
call_command("audit_verify", stdout=sys.stderr)
print(json.dumps([status, dict(Task.objects.values_list("name", "status"))]))
"""


def long_tree():
    first = task("first")
    slow = task("slow", executor="simulate", inputs={"duration_s": 3}, after=["first"])
    return make_tree(task("root", executor=""), first, slow, task("last", after=["slow"]))


def restore(copy, data_dir):
    """As docs/operations.md and docs/postgresql.md say. Environment of a process that works on it."""
    if not POSTGRES:
        copy.rename(data_dir / "apflow.sqlite3")
        return {}
    address = database_of(data_dir)
    command = [binaries() / "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={address['DATABASE_URL']}", copy]
    subprocess.run(command, check=True)
    return address


@pytest.mark.fault
def test_backup_while_running_and_restore(tmp_path, capsys):
    copy, restored = tmp_path / "copy.sqlite3", tmp_path / "restored"
    tree = long_tree()
    with EngineThread(tmp_path / "lock"):
        run = run_start(user=tree.owner, tree_id=tree.pk)
        until(lambda: status_of(tree, "slow") == "in_progress", "the start of slow")
        call_command("backup", str(copy))
        assert Run.objects.get(pk=run.pk).is_active
        run_cancel(user=tree.owner, run_id=run.pk, reason="not part of the backup")
    assert copy.stat().st_mode & 0o077 == 0
    assert [p.name for p in tmp_path.iterdir() if "sqlite3" in p.name] == ["copy.sqlite3"]
    restored.mkdir(mode=0o700)
    own = restore(copy, restored)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("APFLOW_")}
    environment |= {"APFLOW_DATA_DIR": str(restored), "DJANGO_SETTINGS_MODULE": "apflow_site.settings",
                    "APFLOW_LEASE_S": "1", "APFLOW_SWEEP_S": "0.2", "PYTHONPATH": str(ROOT)} | own  # fmt: skip
    done = subprocess.run([sys.executable, "-c", RESTORED, str(run.pk)], cwd=tmp_path, env=environment,
                          capture_output=True, text=True, timeout=90)  # fmt: skip
    assert done.returncode == 0, done.stderr
    status, tasks = json.loads(done.stdout.splitlines()[-1])
    assert status == "completed", done.stderr
    assert tasks == dict.fromkeys(["root", "first", "slow", "last"], "completed")


def test_a_backup_never_overwrites(tmp_path):
    there = tmp_path / "there.sqlite3"
    there.write_text("precious")
    with pytest.raises(CommandError, match="exists already"):
        call_command("backup", str(there))
    assert there.read_text() == "precious"
    with pytest.raises(CommandError, match="no directory"):
        call_command("backup", str(tmp_path / "missing" / "x"))


@pytest.mark.fault
@pytest.mark.skipif(POSTGRES, reason=f"{ONLY_ON}SQLite: looks into its file; the test above restores a dump")
def test_a_backup_is_a_whole_database(tmp_path, capsys):
    make_tree(task("only"))
    call_command("backup", str(tmp_path / "it's ok.sqlite3"))
    opened = sqlite3.connect(tmp_path / "it's ok.sqlite3")
    try:
        assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert opened.execute("SELECT name FROM orchestration_task").fetchall() == [("only",)]
        triggers = opened.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'").fetchone()[0]
    finally:
        opened.close()
    assert triggers > 10
