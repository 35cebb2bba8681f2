"""A real server in its own process and a real browser. No live_server: the engine must be the one that `up` starts.

Server and browser are shared by the tests of a file. Every window listens: a test fails on any report of the content
security policy, error or warning of the console, exception of a script, or answer 5xx that it has not said to expect.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import signal

import httpx
import pytest

from orchestration.ports import free_port
from orchestration.soak.processes import Installation, Nursery
from tests.e2e.listening import Listener
from tests.e2e.onerun import END, MAKE
from tests.support_needs import CHROMIUM_NAMES
from tests.support_processes import ROOT, copy_installation, database_of, environment_of, only_once

START_S = 60
WHOLE = CHROMIUM_NAMES
LIGHT = ("chromium-headless-shell", *WHOLE)  # without what a window has: a quarter less of the processor's time
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def environment(folder, **more):
    usual = {"APFLOW_SQLITE_SYNCHRONOUS": "NORMAL", "APFLOW_BOOTSTRAP": "0"}
    return environment_of(folder, **(usual | database_of(folder) | more))


class Server(Installation):
    """`manage.py up` on a data directory of its own, and Python on its database."""

    def __init__(self, folder, nursery, password="", **variables):
        super().__init__(folder, nursery, environment(folder, **variables))
        folder.chmod(0o700)
        self.password = password
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def up(self):
        """Start, and wait until it answers and runs tasks."""
        self.process = self.start("up", "up", "--port", str(self.port))
        self.wait(self._ready, f"the server on {self.folder}", START_S)
        assert self.process.code is None, f"the server did not start:\n{self.process.said()}{self.log('up')}"
        found = re.search(r"Password: (\S+)", self.process.said())
        self.password = found[1] if found else self.password

    def _ready(self):
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200 or self.process.code is not None
        return self.process.code is not None

    def stop(self):
        """As a supervisor would: what it has written is whole in its file."""
        self.process.signal(signal.SIGTERM)
        self.ended(self.process, START_S)

    def run_python(self, code):
        """Run *code* with Django set up, on the server's database."""
        self.asked_python(code)

    def signed_in(self, user):
        """The state of a browser in which *user* has signed in. A form would take most of a second: the password's hash
        is made to be slow."""
        return self.call("tests.e2e.inside:signed_in", user)

    def asked_python(self, code):
        """The same; what *code* prints."""
        return self.call("tests.e2e.inside:printed", code)


def nursery_of(folder):
    """What all servers are forked from: it would take seconds to start each."""
    return Nursery(ROOT, folder / "nursery.log", environment(folder))


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    with nursery_of(tmp_path_factory.mktemp("nursery")) as nursery:
        yield nursery


@pytest.fixture(scope="session")
def first_start(tmp_path_factory, nursery):
    """(folder, password): a server has started and stopped there. The data directories of the others are copies."""
    with only_once(tmp_path_factory, "first_start") as folder:
        password = folder / "password"
        if not password.exists():
            with Server(folder, nursery) as server:
                server.up()
                server.stop()
            password.write_text(server.password)
        return folder, password.read_text()


@pytest.fixture(scope="module")
def server(tmp_path_factory, nursery, first_start):
    folder = tmp_path_factory.mktemp("data")
    copy_installation(first_start[0], folder)
    with Server(folder, nursery, first_start[1]) as server:
        server.up()
        yield server


@contextlib.contextmanager
def launched(names):
    """The first browser of *names* that is installed."""
    playwright = pytest.importorskip("playwright.sync_api")
    playwright.expect.set_options(timeout=30_000)  # milliseconds; a busy machine needs many more than five seconds
    path = next(filter(None, map(shutil.which, names)), None)
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def browser():
    """Not for the whole session: while the driver lives, no other test of the process could run an event loop."""
    with launched(LIGHT) as chromium:
        yield chromium


@pytest.fixture
def run(server):
    """Starts a run of that name, which goes on until `end` is called; its address."""

    def begin(name):
        return f"/runs/{server.asked_python(MAKE % (name, name)).strip()}"

    return begin


@pytest.fixture
def end(server):
    """Ends the run that the page shows, as somebody else would."""
    return lambda page: server.run_python(END % re.search(r"/runs/(\d+)", page.url)[1])


@pytest.fixture
def window(browser, server):
    """Makes empty pages of people who are signed in, or of a stranger (None); in the end none may have complained.

    `window.forgive(word)`: complaints with *word* are what the test is about. Nothing moves of itself: what turns and
    glides costs more than all else that a page does.
    """
    contexts, listener = [], Listener()

    def open_page(user="admin", **options):
        usual = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", "base_url": server.url}
        options = usual | options
        context = browser.new_context(**options, storage_state=server.signed_in(user) if user else None)
        contexts.append(context)
        listener.hear(context, script=options.get("java_script_enabled", True))
        page = context.new_page()
        page.set_default_timeout(30_000)
        return page

    open_page.forgive = listener.forgive
    open_page.complaints = listener.complaints
    yield open_page
    for context in contexts:
        context.close()
    assert listener.complaints() == []
