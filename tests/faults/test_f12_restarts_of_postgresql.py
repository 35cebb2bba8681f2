"""F12 and F13: PostgreSQL is restarted again and again under load, or has no more connections to give."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from apflow_site.databases import WAIT_S
from orchestration.soak.people import Person
from tests.faults.support import DEADLINE_S, Place, until
from tests.settings import POSTGRES
from tests.support_postgres import Cluster, require

pytestmark = [
    pytest.mark.fault,
    pytest.mark.slow,
    pytest.mark.skipif(not POSTGRES, reason="only on PostgreSQL: about its server"),
]

TASKS = int(os.environ.get("FAULT_TASKS", "2000"))
BETWEEN_S = (5.0, 20.0)
LEAST = 3  # restarts
SEED = os.environ.get("FAULT_SEED") or os.urandom(4).hex()
OPEN = "SELECT count(*) FROM orchestration_run WHERE completed_at IS NULL AND id = ANY(%s)"
DONE = "SELECT count(*) FROM orchestration_attempt WHERE status = 'completed' AND executor <> '' AND run_id = ANY(%s)"


@pytest.fixture
def own(nursery, template, tmp_path):
    """own(**settings of the server): an installation on a server of this test alone."""
    require()
    made = []

    def build(variables=(), **settings):
        cluster = Cluster(**settings)
        cluster.start()
        made.append(cluster)
        place = Place(tmp_path, nursery, template, dict(variables), url=cluster.new_database("faults"))
        made.append(place.__enter__())
        place.run("migrate", "-v0")
        place.token = place.call("orchestration.soak.inside:prepare")
        place.client.headers["Authorization"] = f"Bearer {place.token}"
        return place, cluster

    yield build
    for one in reversed(made):
        one.__exit__(None, None, None)


def patient(place, query, *values):
    """As soon as the server answers."""
    end = time.monotonic() + 60
    while True:
        try:
            return place.one(query, *values)
        except psycopg.OperationalError:
            assert time.monotonic() < end
            time.sleep(0.1)


def batch(place, dice):
    """A run for each tenth of the tasks."""
    runs = []
    for number in range(10):
        tasks = []
        for n in range(TASKS // 10):
            after = [f"r{number}t{n - 20}"] if n >= 20 and n % 3 else []
            tasks.append(place.task(f"r{number}t{n}", s=0.2 + dice.random() * 0.3, after=after, priority=n % 4))
        runs.append(place.begin(*tasks))
    return runs


def test_f12_two_thousand_tasks(own, capsys):
    """No task is lost, none is committed twice, nothing that somebody was promised is missing, whatever was under way
    when the server died at once: an engine leads, another one stands by, and somebody uses the API all the time."""
    with capsys.disabled():
        print(f"\nrestarts of PostgreSQL: FAULT_SEED={SEED} FAULT_TASKS={TASKS}", flush=True)
    place, cluster = own({"APFLOW_LEASE_S": "15", "APFLOW_HEARTBEAT_S": "1", "APFLOW_API_WRITES_PER_MINUTE": "10000"})
    dice = random.Random(SEED)
    place.engine()
    place.says(place.start("standby", "engine"), "Standing by")
    for _ in range(2):
        place.worker(concurrency=8)
    web = place.web()
    runs = batch(place, dice)
    # the tasks keep the workers busy to the end: who waited for the end of a run would not start many
    person = Person("ann", [web.port], place.token, str(place.effects), SEED, rest_s=0.5, watched=0.0)
    person.start()
    restarts = 0
    try:
        while patient(place, OPEN, runs) or not person.repeated:
            time.sleep(dice.uniform(*BETWEEN_S) if restarts else BETWEEN_S[0])  # the fault's own rhythm
            asked = person.asked
            until(lambda asked=asked: person.asked > asked or person.odd, "a request that is under way")
            cluster.restart(signal.SIGQUIT)
            restarts += 1
            assert restarts < 60, "it does not come to an end"
    finally:
        person.stop.set()
        person.join(DEADLINE_S)
    assert not person.is_alive()
    assert person.odd == []
    assert len(person.accepted) > LEAST, "too few for anybody to have been under way"
    until(lambda: not place.call("orchestration.soak.inside:open_runs"), "the end of all runs")
    with capsys.disabled():
        print(f"{TASKS} tasks and {len(person.accepted)} runs of a person through {restarts} restarts")
    assert restarts >= LEAST
    assert place.one(DONE, runs) == TASKS // 10 * 10
    promised = person.accepted | {run: ["completed"] for run in runs}
    place.right(accepted=promised, names=["root"] * len(runs) + person.names)


def test_f12_pages_while_nobody_answers(own):
    """They say so, with 503, and ask again by themselves; parts of a page leave what they were to replace."""
    place, cluster = own({"APFLOW_DATABASE_POOL": "5"})
    web = place.web()
    with httpx.Client(base_url=web.url, cookies={"apflow_session": "a" * 32}, timeout=90, trust_env=False) as browser:
        cluster.stop()
        began = time.monotonic()
        page, part = browser.get("/runs/"), browser.get("/runs/", headers={"HX-Request": "true"})
        assert time.monotonic() - began < 2 * WAIT_S + 10, "somebody waited twice"
        cluster.start()
        assert (page.status_code, part.status_code) == (503, 503)
        assert "The database does not answer" in page.text
        assert 'http-equiv="refresh"' in page.text
        assert int(page.headers["Retry-After"]) > 0
        assert part.text.startswith("<hx-partial"), part.text
        until(lambda: browser.get("/runs/").status_code == 302, "the way to the sign-in")


def test_f13_no_connection_left(own):
    """Pages answer 503 or wait their turn, and never hang; the run ends right."""
    place, cluster = own({"APFLOW_DATABASE_POOL": "20"}, max_connections="16", superuser_reserved_connections="0")
    place.engine("--here")
    web = place.web()
    run = place.begin(*(place.task(f"t{n}", s=0.1, after=[f"t{n - 1}"] if n else []) for n in range(30)))
    hoard = []
    stop = threading.Event()

    def take_all():
        while not stop.wait(0.02):
            try:
                hoard.append(psycopg.connect(cluster.url()))
            except psycopg.OperationalError:
                continue

    thief = threading.Thread(target=take_all)
    thief.start()
    try:
        time.sleep(1)  # the fault itself
        with ThreadPoolExecutor(20) as people:
            headers = {"Authorization": f"Bearer {place.token}"}
            ask = [people.submit(httpx.get, f"{web.url}/api/v1/trees/", headers=headers, timeout=60) for _ in range(40)]
            codes = [asked.result().status_code for asked in ask]
    finally:
        stop.set()
        thief.join()
        for connection in hoard:
            connection.close()
    assert hoard, "nothing was taken away"
    assert set(codes) <= {200, 503}
    assert place.run_ended(run) == "completed"
    assert httpx.get(f"{web.url}/api/v1/trees/", headers=headers, timeout=30).status_code == 200
    place.right()
