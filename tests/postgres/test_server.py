"""A real server on PostgreSQL: many viewers need few connections; a database that is not there is said at once."""

from __future__ import annotations

import base64
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from orchestration.ports import free_port
from tests.scaleout.support import Site, nursery_of, until
from tests.scaleout.test_live import Viewer
from tests.support_postgres import require
from tests.support_processes import ROOT, environment_of

pytestmark = pytest.mark.slow

CONNECTIONS, VIEWERS = 5, 12
SWITCHED = b"HTTP/1.1 101"


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    require()
    with nursery_of(tmp_path_factory.mktemp("nursery")) as nursery:
        yield nursery


@pytest.fixture
def site(tmp_path, nursery):
    with Site(tmp_path, nursery, APFLOW_DATABASE_POOL=str(CONNECTIONS)) as site:
        yield site


def serve(site):
    url = f"http://127.0.0.1:{(port := free_port())}"
    site.manage("up", "--port", str(port), says="Serving")
    until(lambda: httpx.get(f"{url}/readyz").status_code == 200, "the engine")
    return url


def socket_of(url, run_id, cookies):
    """An open WebSocket of the run."""
    place = urlsplit(url)
    opened = socket.create_connection((place.hostname, place.port), timeout=20)
    headers = [
        f"GET /ws/runs/{run_id}/ HTTP/1.1", f"Host: {place.netloc}", "Upgrade: websocket", "Connection: Upgrade",
        f"Origin: {url}", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {base64.b64encode(b'k' * 16).decode()}",
        "Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()),
    ]  # fmt: skip
    opened.sendall("\r\n".join([*headers, "", ""]).encode())
    assert opened.recv(12) == SWITCHED
    return opened


@pytest.mark.fault
def test_viewers_hold_no_connections(site):
    run_id = site.begin({"name": "long", "executor": "simulate", "inputs": {"duration_s": 600}})
    url = serve(site)
    with ExitStack() as stack:
        viewers = [Viewer(url, run_id) for _ in range(VIEWERS)]
        for viewer in viewers:
            stack.callback(viewer.client.close)
            viewer.start()
        for viewer in viewers:
            assert viewer.open.wait(20), "a stream did not begin"
            assert viewer.status == 200
        for viewer in viewers:
            stack.enter_context(socket_of(url, run_id, dict(viewer.client.cookies)))
        person = viewers[0].client
        for page in ("/", "/trees/", f"/runs/{run_id}"):
            begun = time.monotonic()
            assert person.get(page, headers={"Accept": "text/html"}).status_code == 200
            assert time.monotonic() - begun < 10
        used = "pg_stat_activity WHERE datname = current_database() AND application_name = 'apflow'"
        assert site.count(used) <= CONNECTIONS + 5  # the driver of this test, and whoever listens, have their own
        site.ask("cancel", run_id)
        site.run_ended(run_id)
        for viewer in viewers:
            viewer.join(30)
            assert max(viewer.seen) == site.one("SELECT seq FROM orchestration_run WHERE id = %s", run_id)


def manage(tmp_path, url, *arguments):
    """What the command says: not much later than one that asks no database."""
    environ = environment_of(tmp_path, DATABASE_URL=url)
    command = [sys.executable, "manage.py", *arguments]
    begun = time.monotonic()
    subprocess.run([*command[:2], "check"], cwd=ROOT, env=environ, capture_output=True, timeout=120, check=True)
    usual = time.monotonic() - begun
    begun = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert time.monotonic() - begun < 10 + 2 * usual
    assert "hidden" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_a_database_that_is_not_there_is_said_at_once(tmp_path):
    url = f"postgres://u:hidden@127.0.0.1:{free_port()}/x"
    done = manage(tmp_path, url, "up", "--port", str(free_port()))
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "DATABASE_URL" in done.stderr
    done = manage(tmp_path, url, "doctor", "--json")
    assert done.returncode == 1
    assert '"name": "database", "state": "fail"' in done.stdout
