"""A real server in its own process and a real browser. No live_server: the engine must be the one that `up` starts."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.support_processes import database_of

ROOT = Path(__file__).resolve().parents[2]
START_S = 60
BROWSER = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Server:
    """`manage.py up` on a data directory of its own."""

    folder: Path
    port: int = field(default_factory=free_port)
    password: str = ""
    process: subprocess.Popen = field(init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("APFLOW_", "DJANGO_", "PYTEST_"))
        }
        return (
            kept
            | {"APFLOW_DATA_DIR": str(self.folder), "APFLOW_SQLITE_SYNCHRONOUS": "NORMAL"}
            | database_of(self.folder)
        )

    def up(self) -> None:
        """Start, and wait until it answers and runs tasks."""
        log = self.folder / "up.log"
        with log.open("ab") as output:
            command = [sys.executable, "manage.py", "up", "--port", str(self.port)]
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    break
        else:
            raise AssertionError(f"the server did not start:\n{log.read_text()[-3000:]}")
        found = re.search(r"Password: (\S+)", log.read_text())
        self.password = found[1] if found else self.password

    def kill(self) -> None:
        """kill -9, as a power cut would: the process and all that it has started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=20)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=20)
        if self.process.poll() is None:
            self.kill()

    def run_python(self, code: str) -> None:
        """Run *code* with Django set up, on the server's database."""
        start = "import django; django.setup()\n"
        environment = self.environment | {"DJANGO_SETTINGS_MODULE": "apflow_site.settings"}
        subprocess.run([sys.executable, "-c", start + code], cwd=ROOT, env=environment, check=True, timeout=60)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("data"))
    server.folder.chmod(0o700)
    server.up()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser():
    """Not for the whole session: while the driver lives, no other test of the process could run an event loop."""
    playwright = pytest.importorskip("playwright.sync_api")
    playwright.expect.set_options(timeout=20_000)  # milliseconds; on a busy machine five seconds are too few
    path = next(filter(None, map(shutil.which, BROWSER)), None)
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def window(browser, server):
    """Makes pages of people who have signed in; at the end none of them may have complained."""
    contexts, complaints = [], []

    def hear(message):
        if message.type in {"error", "warning"} and "WebSocket connection" not in message.text:
            complaints.append(message.text)

    def open_page(user="admin", password=None):
        context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=server.url)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/login/")
        page.get_by_label("User name").fill(user)
        page.get_by_label("Password").fill(password or server.password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{server.url}/")
        return page

    open_page.complaints = complaints
    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
