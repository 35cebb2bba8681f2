"""The two commands, as a person starts them."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from django.conf import settings

from orchestration.ports import free_port
from tests.support_processes import ROOT, database_of, environment_of

START_S, STOP_S = 180, 60

pytestmark = pytest.mark.slow


def manage(data_dir, *arguments):
    environ = environment_of(data_dir, **database_of(data_dir))
    return subprocess.Popen(
        [sys.executable, "-W", "error::RuntimeWarning", "manage.py", *arguments],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextlib.contextmanager
def up(data_dir, port, *options):
    process = manage(data_dir, "up", "--port", str(port), *options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def get(port, path):
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
        return response.headers, response.read()


def wait_until_served(process, port):
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        with contextlib.suppress(URLError, ConnectionError):
            return json.loads(get(port, "/healthz")[1])
        time.sleep(0.05)
    pytest.fail("not served in time")


def until_told(process, word):
    """Reads what it says, up to the line with *word*; `ended` gives the rest, with what was read before it."""
    process.told = ""
    while word not in process.told:
        line = process.stdout.readline()
        assert line, process.told
        process.told += line


def ended(process):
    output, _ = process.communicate(timeout=STOP_S)
    return process.returncode, getattr(process, "told", "") + output


@pytest.mark.fault
def test_up_serves_and_stops(tmp_path):
    port, data_dir = free_port(), tmp_path / "data"
    with up(data_dir, port) as process:
        assert wait_until_served(process, port) == {"status": "ok"}
        assert data_dir.stat().st_mode & 0o777 == 0o700
        headers, body = get(port, "/static/vendor/htmx.min.js")
        assert int(headers["Content-Length"]) == len(body) > 1000
        with up(data_dir, free_port()) as second:  # the data directory is taken
            if settings.POSTGRES:  # it serves, and is ready to take over
                until_told(second, "Serving")
                second.send_signal(signal.SIGTERM)
            code, output = ended(second)
            assert code == (0 if settings.POSTGRES else 3), output
            assert str(process.pid) in output
        with up(tmp_path / "other", port) as third:  # the port is taken
            code, output = ended(third)
            assert code == 1, output
            assert "--port" in output
        process.send_signal(signal.SIGTERM)
        code, output = ended(process)
    assert code == 0, output
    assert re.search(r"First user: admin +Password: \S{16}", output)
    assert "Warning" not in output
    with up(data_dir, port) as again:
        wait_until_served(again, port)
        again.send_signal(signal.SIGHUP)
        code, output = ended(again)
    assert code == 0, output
    assert "Password" not in output


def test_without_an_engine_it_only_serves(tmp_path):
    port = free_port()
    with up(tmp_path, port, "--no-engine") as process:
        wait_until_served(process, port)
        process.send_signal(signal.SIGINT)
        code, output = ended(process)
    assert code == 0, output
    assert "without an engine" in output


def test_test_passes_arguments_and_exit_code_on(tmp_path):
    file = tmp_path / "test_sample.py"
    file.write_text("def test_good():\n    assert True\n\n\ndef test_bad():\n    assert False\n")
    common = ("test", str(file), "-p", "no:cacheprovider", "-q", "-x")
    code, output = ended(manage(tmp_path, *common, "-k", "good"))
    assert code == 0, output
    assert "1 passed, 1 deselected" in output
    code, output = ended(manage(tmp_path, *common, "-k", "bad"))
    assert code == 1, output
    assert "1 failed" in output
