"""Real engines and workers on a PostgreSQL of these tests, and conditions with deadlines."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from tests.support_postgres import shared

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30.0
TEMPLATE = "scaleout_template"
QUICK = {"APFLOW_LEASE_S": "1.5", "APFLOW_HEARTBEAT_S": "0.3", "APFLOW_SWEEP_S": "0.2", "APFLOW_GRACE_S": "0.3"}


def until(condition, what="it", deadline_s=DEADLINE_S):
    """Wait until *condition()* is true; what it returned."""
    end = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {deadline_s:g} s"
        time.sleep(0.02)
    return found


def template():
    """A database with all tables, made once per server; new ones are copied from it."""
    cluster = shared()
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(42)")  # the workers of pytest-xdist share the server
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [f"{TEMPLATE}_done"]).fetchone():
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
            run_manage(cluster.url(TEMPLATE), cluster.folder, "migrate", "-v0")
            connection.execute(f"CREATE DATABASE {TEMPLATE}_done TEMPLATE {TEMPLATE}")
    return f"{TEMPLATE}_done"


def environment(url, folder, **more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("APFLOW_", "DJANGO_", "PYTEST_", "DATABASE_"))}
    return kept | {
        "DATABASE_URL": url, "APFLOW_DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "apflow_site.settings",
        "APFLOW_APPS": "tests.scaleout.effects", "PYTHONPATH": str(ROOT), "APFLOW_BOOTSTRAP": "0",
    } | more  # fmt: skip


def run_manage(url, folder, *arguments):
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment(url, folder), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site:
    """One installation: a database, and the processes that a test starts on it. `with Site(tmp_path) as site:`"""

    def __init__(self, folder, cluster=None, **variables):
        self.folder = folder
        self.cluster = cluster  # a server of this test alone, which may be killed
        self.file = str(folder / "effects")
        self.variables = QUICK | variables
        self.processes = []

    def __enter__(self):
        name = f"so_{os.getpid()}_{time.monotonic_ns()}"
        if self.cluster is None:
            source = template()
            shared().execute(f"CREATE DATABASE {name} TEMPLATE {source}")
            self.url = shared().url(name)
        else:
            self.url = self.cluster.new_database(name)
            run_manage(self.url, self.folder, "migrate", "-v0")
        self.rows = psycopg.connect(self.url, autocommit=True)
        self._driver = self._start([sys.executable, "-m", "tests.scaleout.driver"], stdin=subprocess.PIPE)
        return self

    def __exit__(self, *_exc):
        self.rows.close()
        self._driver.stdin.close()
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
                process.kill()
            process.wait(DEADLINE_S)
            process.stdout.close()

    def reconnect(self):
        """After a restart of the server."""
        self.rows.close()
        self.rows = psycopg.connect(self.url, autocommit=True)

    # -- processes -------------------------------------------------------------------------------------------------

    def _start(self, command, name="driver", **options):
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment(self.url, self.folder, **self.variables), stdout=subprocess.PIPE,
                stderr=log, text=True, **options,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def manage(self, *arguments, says=""):
        """A process of manage.py that has begun: it has printed a line that contains *says*."""
        process = self._start([sys.executable, "manage.py", *arguments], arguments[0])
        while says and says not in (line := process.stdout.readline()):
            assert line, (self.folder / f"{arguments[0]}.log").read_text()[-3000:]
        return process

    def engine(self, *arguments):
        return self.manage("engine", *arguments, says="Engine started")

    def worker(self, *arguments):
        before = self.count("orchestration_worker WHERE kind = 'worker'")
        process = self.manage("worker", *arguments, says="Worker")
        until(lambda: self.count("orchestration_worker WHERE kind = 'worker'") > before, "a new worker")
        return process

    def web(self):
        """The address of a process that only serves pages."""
        port = free_port()
        self.manage("up", "--no-engine", "--port", str(port), says="Serving")
        return f"http://127.0.0.1:{port}"

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    # -- what people do --------------------------------------------------------------------------------------------

    def ask(self, *request):
        self._driver.stdin.write(json.dumps(request) + "\n")
        self._driver.stdin.flush()
        answer = json.loads(self._driver.stdout.readline() or "{}")
        assert "ok" in answer, answer.get("error") or self.log("driver")
        return answer["ok"]

    def start(self, *tasks):
        """The id of a run of *tasks*, which lie under a group."""
        root = {"id": "root", "name": "root"}
        return self.ask("start", [root, *({"parent_id": "root", "id": t["name"], **t} for t in tasks)])

    def task(self, name, executor="so_mark", *, after=(), **more):
        fields = {key: more.pop(key) for key in ("priority", "max_attempts") if key in more}
        inputs = {"file": self.file, **more}
        edges = [{"id": other} for other in after]
        return {"name": name, "executor": executor, "inputs": inputs, "dependencies": edges} | fields

    def go(self):
        """Let everything that holds end."""
        Path(self.file + ".go").touch()

    # -- what there is ---------------------------------------------------------------------------------------------

    def count(self, rest, *values):
        return self.one(f"SELECT count(*) FROM {rest}", *values)

    def one(self, query, *values):
        row = self.rows.execute(query, values).fetchone()
        return row[0] if row else None

    def all(self, query, *values):
        return self.rows.execute(query, values).fetchall()

    def status(self, run_id):
        return self.one("SELECT status FROM orchestration_run WHERE id = %s", run_id)

    def ended(self, run_id, deadline_s=DEADLINE_S):
        """How the run has ended."""
        until(lambda: self.status(run_id) != "in_progress", f"the end of run {run_id}", deadline_s)
        return self.status(run_id)

    def effects(self, word="did"):
        """(name of the task, process) in the order in which tasks did something."""
        path = Path(self.file)
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [(name, int(pid)) for what, name, pid, _ in lines if what == word]

    def begun(self, name, times=1):
        until(lambda: [n for n, _ in self.effects("began")].count(name) >= times, f"the start of {name}")

    def attempts(self, name):
        """(number, status, worker, error code) of the task's attempts."""
        return self.all(
            "SELECT a.number, a.status, a.worker, a.error_code FROM orchestration_attempt a JOIN orchestration_task t "
            "ON t.id = a.task_id WHERE t.name = %s ORDER BY a.number", name,
        )  # fmt: skip

    def kinds(self, run_id):
        events = self.all("SELECT kind FROM orchestration_event WHERE run_id = %s ORDER BY seq", run_id)
        return [kind for (kind,) in events]

    def holder(self, name):
        """The process that holds the task's attempt."""
        worker = until(lambda: self.one(
            "SELECT a.worker FROM orchestration_attempt a JOIN orchestration_task t ON t.id = a.task_id "
            "WHERE t.name = %s AND a.status = 'in_progress' AND a.worker <> ''", name,
        ), f"somebody who runs {name}")  # fmt: skip
        return int(worker.split(":")[1])
