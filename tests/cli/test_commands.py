"""apflowctl against a real server."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

from orchestration.cli.__main__ import run
from orchestration.ports import free_port
from tests.cli.conftest import ROOT

pytestmark = pytest.mark.slow
GOOD = [
    {"name": "Report"},
    {"name": "load", "parent_id": "Report", "executor": "noop"},
    {"name": "send", "parent_id": "Report", "executor": "noop", "dependencies": [{"name": "load"}]},
]
HOSTILE = "[bold]x\x1b[2J\u202e"


@pytest.fixture
def tree_of(ctl, tmp_path):
    """Imports tasks; the id of the tree."""

    def make(tasks):
        file = tmp_path / "tree.json"
        file.write_text(json.dumps(tasks))
        return ctl.json("trees", "import", file)["id"]

    return make


def failing(message="no rows"):
    return [{"name": "bad", "executor": "simulate", "inputs": {"duration_s": 0, "fail": message}}]


def test_login_keeps_the_token_where_nobody_else_reads_it(served, ctl, monkeypatch, tmp_path):
    monkeypatch.delenv("APFLOWCTL_URL")
    monkeypatch.delenv("APFLOWCTL_TOKEN")
    ctl("trees", "list", code=2)
    assert "apflowctl login" in ctl.errors
    ctl("login", served.url + "/", "--token", "apf_nonsense", code=3)
    assert "ann" in ctl("login", served.url + "/", "--token", served.token)
    file = tmp_path / "config" / "apflowctl" / "config.json"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert json.loads(file.read_text()) == {"url": served.url, "token": served.token}
    assert isinstance(ctl.json("trees", "list"), list)
    monkeypatch.setattr("sys.stdin", io.StringIO(served.reading + "\n"))
    assert ctl.json("login", served.url)["scope"] == "read"
    monkeypatch.setenv("APFLOWCTL_URL", "http://127.0.0.1:1")  # the stored token is not for that server
    ctl("trees", "list", code=2)


def test_import_show_export_and_delete(ctl, tree_of, tmp_path):
    tree = tree_of(GOOD)
    assert "Report" in ctl("trees", "list", "--search", "Report")
    shown = ctl("trees", "show", tree)
    assert "  load" in shown
    assert [t["name"] for t in ctl.json("trees", "show", tree)["tasks"]] == ["Report", "load", "send"]
    exported = ctl.json("trees", "export", tree)
    assert [t["name"] for t in exported] == ["Report", "load", "send"]
    ctl("trees", "export", tree, "-o", tmp_path / "out.json")
    again = ctl.json("trees", "import", tmp_path / "out.json", "--label", "nightly")
    assert again["labels"] == ["nightly"]
    ctl("trees", "delete", tree, code=2)  # nobody can be asked
    ctl("trees", "delete", tree, "--yes")
    ctl("trees", "show", tree, code=3)


def test_run_and_watch(ctl, tree_of):
    tree = tree_of(GOOD)
    text = ctl("run", tree, "--watch")
    assert "task_completed  load" in text
    assert "completed: 3 completed" in text
    (listed,) = ctl.json("runs", "list", "--tree", tree)
    assert listed["status"] == "completed"
    assert ctl.json("runs", "show", listed["id"])["number"] == 1
    events = [json.loads(line) for line in ctl("tail", listed["id"], "--json").splitlines()]
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    rest = ctl("tail", listed["id"], "--after", 2, "--json").splitlines()
    assert len(rest) == len(events) - 2
    ctl("runs", "retry", listed["id"], code=2)  # nothing has failed
    assert ctl.json("runs", "retry", listed["id"], "--mode", "all")["retry_of"] == listed["id"]


def test_a_terminal_gets_a_picture(ctl, tree_of, monkeypatch):
    tree = tree_of(GOOD)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    text = ctl("run", tree, "--watch")
    assert "3/3  3 completed" in text
    assert "task_completed" not in text


def test_a_failed_run_ends_with_1(ctl, tree_of):
    tree = tree_of(failing(HOSTILE))
    text = ctl("run", tree, "--watch", code=1)
    assert "failed: 1 failed" in text
    assert "[bold]x" in text  # markup is no markup
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
    (run_row,) = ctl.json("runs", "list", "--tree", tree)
    ctl("runs", "retry", run_row["id"], "--watch", code=1)
    ctl("tail", run_row["id"], code=1)


def test_cancel(ctl, tree_of):
    tree = tree_of([{"name": "slow", "executor": "simulate", "inputs": {"duration_s": 60}}])
    started = ctl.json("run", tree)
    assert ctl.json("runs", "list", "--status", "in_progress", "--tree", tree)[0]["id"] == started["id"]
    ctl("run", tree, code=2)  # it runs already
    ctl("runs", "cancel", started["id"], "--reason", "enough")
    ctl("tail", started["id"], code=1)
    assert ctl.json("runs", "show", started["id"])["reason"] == "enough"


def test_what_is_refused(served, ctl, tree_of, tmp_path, monkeypatch):
    tree = tree_of(GOOD)
    bad = tmp_path / "bad.json"
    bad.write_text('[{"name": "a", "colour": 1}, {"nam": "b"}]')
    ctl("trees", "import", bad, code=2)
    assert "unknown field" in ctl.errors
    assert len(ctl.errors.splitlines()) > 1
    ctl("trees", "import", tmp_path / "none.json", code=2)
    ctl("tail", 999999, code=3)
    ctl("trees", "show", 999999, "--json", code=3)
    assert json.loads(ctl.errors)["error"]["code"] == "not_found"
    monkeypatch.setenv("APFLOWCTL_TOKEN", served.stranger)
    ctl("run", tree, code=3)
    monkeypatch.setenv("APFLOWCTL_TOKEN", served.reading)
    ctl("run", tree, code=3)
    assert "scope" in ctl.errors
    monkeypatch.setenv("APFLOWCTL_URL", f"http://127.0.0.1:{free_port()}")
    ctl("trees", "list", code=4)
    for address in ("ftp://nowhere", "http://localhost:99999", "http://a:b@localhost", "nonsense"):
        monkeypatch.setenv("APFLOWCTL_URL", address)
        ctl("trees", "list", code=2)


@pytest.mark.parametrize("words", [[], ["fly"], ["run", "x"], ["run", "-1"], ["trees", "show", "9" * 30], ["tail"]])
def test_wrong_usage(words):
    with pytest.raises(SystemExit) as ended:
        run(words)
    assert ended.value.code == 2


def test_it_needs_no_django_and_ends_with_its_code():
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("APFLOW", "DJANGO_"))} | {
        "HOME": "/nonexistent"
    }
    code = "import sys, orchestration.cli.__main__ as m; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, timeout=120).returncode == 0
    words = [sys.executable, "-m", "orchestration.cli", "trees", "list"]
    found = subprocess.run(words, cwd=ROOT, env=environ, timeout=30, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("apflowctl: sign in first")
