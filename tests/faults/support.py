"""Installations of real processes on the database under test, forked from one process per test session."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path

import httpx
import psycopg

from orchestration.ports import free_port
from orchestration.soak.processes import Installation, Nursery
from tests.settings import POSTGRES
from tests.support_postgres import new_database, require, shared
from tests.support_processes import ROOT, database_of, environment_of

PATIENCE = float(os.environ.get("FAULT_PATIENCE", "3"))
DEADLINE_S = 40.0 * PATIENCE
QUICK = {
    "APFLOW_LEASE_S": "3", "APFLOW_HEARTBEAT_S": "0.3", "APFLOW_SWEEP_S": "0.2", "APFLOW_GRACE_S": "0.3",
    "APFLOW_SHUTDOWN_S": "0.5", "APFLOW_DATABASE_POOL": "5", "APFLOW_RECOVERY_LIMIT": "20",
    "APFLOW_SQLITE_SYNCHRONOUS": "NORMAL",
}  # fmt: skip
INSIDE = "orchestration.soak.inside:"


def environment(folder, **more):
    return environment_of(folder, **({"APFLOW_BOOTSTRAP": "0", "APFLOW_APPS": "tests.faults.bad"} | more))


def nursery_of(folder):
    """A nursery: its applications are those of the database that is tested, whichever one a child works on."""
    if POSTGRES:
        require()
    url = {"DATABASE_URL": shared().url()} if POSTGRES else {}
    return Nursery(ROOT, folder / "nursery.log", environment(folder, **url))


class Template:
    """A database with all tables and a user with a token, in *folder*, where it is made once; each test gets a copy."""

    def __init__(self, folder, nursery):
        self.folder = folder
        token = folder / "token"
        if not token.exists():
            with Installation(folder, nursery, environment(folder, **database_of(folder))) as place:
                place.run("migrate", "-v0")
                token.write_text(place.call(f"{INSIDE}prepare"))
        self.token = token.read_text()

    def copy(self, folder):
        """Environment of a new installation in *folder*."""
        shutil.copy(self.folder / "secret_key", folder / "secret_key")
        if POSTGRES:
            return {"DATABASE_URL": new_database(like=database_of(self.folder)["DATABASE_URL"])}
        shutil.copy(self.folder / "apflow.sqlite3", folder / "apflow.sqlite3")
        return {}


class Place(Installation):
    """One installation of a test. Queries are written with %s on both databases."""

    nudges = True  # False: processes that start from now on have a channel layer that carries nothing

    def __init__(self, folder, nursery: Nursery, template, variables, url=""):
        self.token = template.token
        own = {"DATABASE_URL": url} if url else template.copy(folder)
        super().__init__(folder, nursery, environment(folder, **(QUICK | own | variables)))
        self.client = httpx.Client(trust_env=False, timeout=30, headers={"Authorization": f"Bearer {self.token}"})

    def __exit__(self, *exc):
        self.client.close()
        super().__exit__(*exc)

    # -- processes -------------------------------------------------------------------------------------------------

    def start(self, name, *argv, failpoints=None):
        if self.nudges:
            return super().start(name, *argv, failpoints=failpoints)
        return self._order(name, call="tests.faults.inside:without_nudges", arguments=argv)

    def server(self, *options, failpoints=None, wait=True):
        """`up`; `port` of the process says where."""
        port = free_port()
        child = self.start("up", "up", "--port", str(port), *options, failpoints=failpoints)
        child.port = port
        child.url = f"http://127.0.0.1:{port}"
        return self.says(child, "Serving") if wait else child

    def powerless(self, *options, wait=True):
        """`server`, by a root that may no more than other users."""
        argv = ["up", "--port", str(free_port()), *options]
        child = self._order("up", call="tests.faults.inside:powerless", arguments=[argv])
        return self.says(child, "Serving") if wait else child

    def web(self, **options):
        """Pages only."""
        return self.server("--no-engine", **options)

    def engine(self, *options, failpoints=None):
        """PostgreSQL: the engine that runs tasks itself (with `--here`) or hands them out."""
        child = self.start("engine", "engine", *options, failpoints=failpoints)
        return self.says(child, "Engine started") if not failpoints else child

    def worker(self, failpoints=None, concurrency=4):
        return self.start("worker", "worker", "--concurrency", str(concurrency), failpoints=failpoints)

    def running(self, failpoints=None):
        """A process that runs tasks: `up` on SQLite, an engine on PostgreSQL."""
        return (
            self.engine("--here", failpoints=failpoints) if POSTGRES else self.server(failpoints=failpoints, wait=False)
        )

    def stop(self, child, code=0):
        """SIGTERM, and it ends well."""
        child.signal(signal.SIGTERM)
        assert self.ended(child) == code, self.log(child.name)

    # -- what people do --------------------------------------------------------------------------------------------

    def task(self, name, executor="soak_mark", *, after=(), optional=(), **more):
        fields = {key: more.pop(key) for key in ("priority", "max_attempts", "backoff", "timeout_s") if key in more}
        edges = [{"id": n} for n in after] + [{"id": n, "required": False} for n in optional]
        return {
            "id": name, "name": name, "parent_id": "root", "executor": executor, "dependencies": edges,
            "inputs": {"file": str(self.effects), **more},
        } | fields  # fmt: skip

    def begin(self, *tasks):
        """The id of a run of a new tree of *tasks*."""
        return self.call(f"{INSIDE}start", [{"id": "root", "name": "root"}, *tasks])

    def small(self, **more):
        """Six tasks in four steps, one of them in a process of its own."""
        return self.begin(
            self.task("a", **more), self.task("b", **more), self.task("c", after=["a", "b"], s=0.05),
            self.task("d", "soak_child", after=["a"]), self.task("e", after=["c", "d"]), self.task("f", optional=["d"]),
        )  # fmt: skip

    def go(self):
        """Let everything that holds end."""
        Path(f"{self.effects}.go").touch()

    def post(self, url, path, body=None, key=""):
        headers = {"Idempotency-Key": key} if key else {}
        return self.client.post(f"{url}/api/v1/{path}", json=body or {}, headers=headers)

    # -- what there is ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def rows(self):
        """A connection of its own; commits at the end."""
        if POSTGRES:
            with psycopg.connect(self.environment["DATABASE_URL"]) as opened:
                yield opened
            return
        with contextlib.closing(sqlite3.connect(self.file, timeout=30)) as opened, opened:
            yield opened

    @property
    def file(self):
        return self.folder / "apflow.sqlite3"

    def all(self, query, *values):
        with self.rows() as opened:
            return opened.execute(query if POSTGRES else query.replace("%s", "?"), values).fetchall()

    def one(self, query, *values):
        found = self.all(query, *values)
        return found[0][0] if found else None

    def count(self, rest, *values):
        return self.one(f"SELECT count(*) FROM {rest}", *values)

    def status(self, run_id):
        return self.one("SELECT status FROM orchestration_run WHERE id = %s", run_id)

    def run_ended(self, run_id, deadline_s=DEADLINE_S):
        self.wait(lambda: self.status(run_id) != "in_progress", f"the end of run {run_id}", deadline_s)
        return self.status(run_id)

    def marks(self, word="did"):
        """Name of the task -> how often it did something."""
        lines = self.effects.read_text().splitlines() if self.effects.exists() else []
        return Counter(words[2] for words in map(str.split, lines) if words[0] == word)

    def begun(self, name, times=1):
        self.wait(lambda: self.marks("began")[name] >= times, f"the start of {name}", DEADLINE_S)

    def attempts(self, name):
        """(number, status, error code, worker)"""
        return self.all(
            "SELECT a.number, a.status, a.error_code, a.worker FROM orchestration_attempt a JOIN orchestration_task t "
            "ON t.id = a.task_id WHERE t.name = %s ORDER BY a.number", name,
        )  # fmt: skip

    def kinds(self, run_id):
        return [kind for (kind,) in self.all(
            "SELECT kind FROM orchestration_event WHERE run_id = %s ORDER BY seq", run_id
        )]  # fmt: skip

    def right(self, once=(), accepted=None, names=None):
        """Everything has ended, and rows, events and effects agree. *once*: tasks that did what they do only once;
        *accepted*, *names*: the runs (and how they may have ended) and trees that somebody was told of, see `judge`."""
        verdict = self.call(f"{INSIDE}judge", str(self.effects), accepted, names)
        assert verdict["faults"] == []
        marks = self.marks()
        assert {name: marks[name] for name in once if marks[name] != 1} == {}
        return verdict


def until(condition, what="it", deadline_s=DEADLINE_S):
    """Wait until *condition()* is true; what it returned."""
    end = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {deadline_s:g} s"
        time.sleep(0.02)
    return found
