"""Real engines and workers on a PostgreSQL of these tests, and conditions with deadlines."""

from __future__ import annotations

import os
import time
from pathlib import Path

import httpx
import psycopg

from orchestration.ports import free_port
from orchestration.soak.processes import Installation, Nursery
from tests.support_postgres import shared
from tests.support_processes import ROOT, environment_of

DEADLINE_S = 60.0  # nothing is late on purpose: on a busy machine everything is
TEMPLATE = "scaleout_template"
# leases last long enough that two workers of pytest on two cores can renew them
QUICK = {"APFLOW_LEASE_S": "2.5", "APFLOW_HEARTBEAT_S": "0.3", "APFLOW_SWEEP_S": "0.2", "APFLOW_GRACE_S": "0.3"}


def until(condition, what="it", deadline_s=DEADLINE_S):
    """Wait until *condition()* is true; what it returned."""
    end = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {deadline_s:g} s"
        time.sleep(0.02)
    return found


def environment(url, folder, **more):
    usual = {"DATABASE_URL": url, "APFLOW_APPS": "tests.scaleout.effects", "APFLOW_BOOTSTRAP": "0"}
    return environment_of(folder, **(usual | more))


def nursery_of(folder):
    """What all processes of these tests are forked from: it would take seconds to start each."""
    return Nursery(ROOT, folder / "nursery.log", environment(shared().url(), folder))


def template(nursery, folder):
    """A database with all tables, made once per server; new ones are copied from it."""
    cluster = shared()
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(42)")  # the workers of pytest-xdist share the server
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [f"{TEMPLATE}_done"]).fetchone():
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
            with Installation(folder, nursery, environment(cluster.url(TEMPLATE), folder)) as place:
                place.run("migrate", "-v0")
            connection.execute(f"CREATE DATABASE {TEMPLATE}_done TEMPLATE {TEMPLATE}")
    return f"{TEMPLATE}_done"


def signed_in(url, accept="*/*"):
    """A client of the pages at *url*, as the person who has started a run of the site."""
    client = httpx.Client(base_url=url, timeout=60, headers={"Accept": accept})
    client.get("/login/")
    token = client.cookies["apflow_csrf"]
    data = {"username": "ann", "password": "secret words", "csrfmiddlewaretoken": token}
    page = client.post("/login/", data=data, headers={"Referer": url})
    assert page.status_code == 302, page.text
    return client


class Site(Installation):
    """One installation: a database, and the processes that a test starts on it. `with Site(tmp_path, nursery) as site:`

    *cluster*: a server of this test alone, which may be killed. `environment` may be changed before a process starts.
    """

    def __init__(self, folder, nursery, cluster=None, **variables):
        name = f"so_{os.getpid()}_{time.monotonic_ns()}"
        if cluster is None:
            source = template(nursery, folder)
            shared().execute(f"CREATE DATABASE {name} TEMPLATE {source}")
        self.url = cluster.new_database(name) if cluster else shared().url(name)
        super().__init__(folder, nursery, environment(self.url, folder, **(QUICK | variables)))
        self.file = str(self.effects)
        if cluster:
            self.run("migrate", "-v0")
        self.rows = psycopg.connect(self.url, autocommit=True)

    def __exit__(self, *exc):
        self.rows.close()
        super().__exit__(*exc)

    def reconnect(self):
        """After a restart of the server."""
        self.rows.close()
        self.rows = psycopg.connect(self.url, autocommit=True)

    # -- processes -------------------------------------------------------------------------------------------------

    def manage(self, *arguments, says=""):
        """A process of manage.py that has begun: it has written *says*."""
        return self.says(self.start(arguments[0], *arguments), says)

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

    # -- what people do --------------------------------------------------------------------------------------------

    def ask(self, name, *arguments):
        return self.call(f"tests.scaleout.driver:{name}", *arguments)

    def begin(self, *tasks):
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

    def run_ended(self, run_id, deadline_s=DEADLINE_S):
        """How the run has ended."""
        until(lambda: self.status(run_id) != "in_progress", f"the end of run {run_id}", deadline_s)
        return self.status(run_id)

    def marks(self, word="did"):
        """(name of the task, process) in the order in which tasks did something."""
        lines = self.effects.read_text().splitlines() if self.effects.exists() else []
        lines = [line.split() for line in lines]
        return [(name, int(pid)) for what, name, pid, _ in lines if what == word]

    def begun(self, name, times=1):
        until(lambda: [n for n, _ in self.marks("began")].count(name) >= times, f"the start of {name}")

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
