"""A real server in its own process, with tokens for the command line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from orchestration.cli.__main__ import run
from orchestration.ports import free_port
from tests.support_processes import database_of

ROOT = Path(__file__).resolve().parents[2]
START_S = 60
MAKE_TOKENS = """
from django.contrib.auth.models import Group, User
from orchestration.services.tokens import token_create
for name, scope in (("ann", "admin"), ("ann", "read"), ("eve", "admin")):
    user, _ = User.objects.get_or_create(username=name)
    user.groups.add(Group.objects.get(name="operator"))
    print("TOKEN", token_create(user=user, name=scope, scope=scope)[1])
"""


@dataclass
class Served:
    url: str
    token: str  # ann's
    reading: str  # ann's, for looking only
    stranger: str


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("served"), free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("APFLOW", "DJANGO_", "PYTEST_"))}
    environ = kept | {"APFLOW_DATA_DIR": str(folder), "APFLOW_SQLITE_SYNCHRONOUS": "NORMAL"} | database_of(folder)
    with (folder / "up.log").open("wb") as log:
        command = [sys.executable, "manage.py", "up", "--port", str(port)]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(process, url, folder / "up.log")
        shell = [sys.executable, "manage.py", "shell", "--no-imports", "-c", MAKE_TOKENS]
        made = subprocess.run(shell, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=START_S, check=True)
        yield Served(url, *(line.split()[1] for line in made.stdout.splitlines() if line.startswith("TOKEN ")))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_ready(process, url, log):
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{log.read_text()[-3000:]}")


class Ctl:
    """apflowctl in this process."""

    def __init__(self, capsys):
        self.capsys = capsys

    def __call__(self, *words, code=0):
        """What is printed; fails unless the exit code is *code*."""
        found = run([str(word) for word in words])
        self.output, self.errors = self.capsys.readouterr()
        assert found == code, (self.output, self.errors)
        return self.output

    def json(self, *words, code=0):
        return json.loads(self(*words, "--json", code=code))


@pytest.fixture
def ctl(served, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("APFLOWCTL_URL", served.url)
    monkeypatch.setenv("APFLOWCTL_TOKEN", served.token)
    return Ctl(capsys)
