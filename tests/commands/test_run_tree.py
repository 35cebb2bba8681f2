"""`manage.py run_tree`, as a person starts it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time

import pytest
from rich.console import Console

from orchestration.domain.states import Status
from orchestration.engine.lock import FileLock
from orchestration.management.run_screen import drawn, plain
from orchestration.selectors.results import Glance
from tests.support_processes import ROOT, asked, database_of, environment_of

END_S = 60
COUNTS = {"total": 4, "pending": 1, "running": 1, "completed": 1, "failed": 1, "cancelled": 0, "blocked": 0}


def start(data_dir, *arguments):
    environ = environment_of(data_dir, **database_of(data_dir))
    return subprocess.Popen(
        [sys.executable, "manage.py", *map(str, arguments)],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_tree(data_dir, *arguments):
    process = start(data_dir, "run_tree", *arguments)
    out, err = process.communicate(timeout=END_S)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("data") / "var"


@pytest.fixture
def file(tmp_path):
    def write(*tasks):
        path = tmp_path / "tree.json"
        first = tasks[0]["name"] if tasks else ""
        items = [task if task is tasks[0] else {"parent_id": first, **task} for task in tasks]
        path.write_text(json.dumps(items))
        return path

    return write


def wait_for_run(data_dir, *, number, process):
    deadline = time.monotonic() + END_S
    while asked(data_dir, "SELECT count(*) FROM orchestration_run") < [(number,)]:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)


def simulate(name, **inputs):
    return {"name": name, "executor": "simulate", "inputs": {"duration_s": 0, "steps": 1, **inputs}}


@pytest.mark.slow
def test_a_run_that_completes(data_dir, file):
    path = file({"name": "root"}, simulate("one", result=[1]), simulate("two") | {"dependencies": ["one"]})
    code, out, err = run_tree(data_dir, path)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "Run #1 of 'root': 3 tasks"
    assert "completed in" in out.splitlines()[1]
    assert "3 completed" in out.splitlines()[1]


@pytest.mark.slow
def test_json_is_all_there_is_on_stdout(data_dir, file):
    path = file({"name": "root"}, simulate("one", result={"x": None}), simulate("bad", fail="no"))
    code, out, err = run_tree(data_dir, path, "--json", "--watch")
    report = json.loads(out)
    assert code == 1
    assert set(report) == {"run", "tree", "status", "counts", "duration_s", "tasks"}
    assert report["status"] == "failed"
    assert report["counts"] == {**dict.fromkeys(COUNTS, 0), "total": 3, "completed": 2, "failed": 1}
    root, one, bad = report["tasks"]
    assert set(root) == {"id", "name", "status", "attempt", "error", "result"}
    assert (one["name"], one["status"], one["attempt"], one["result"]) == ("one", "completed", 1, {"x": None})
    assert (bad["status"], bad["error"], bad["result"]) == ("failed", "no", None)
    assert "bad: no" in err  # what is watched is shown beside


@pytest.mark.slow
def test_a_run_that_fails(data_dir, file):
    path = file(
        {"name": "root"}, simulate("bad", fail="[red]no\x1b[31m"), simulate("after") | {"dependencies": ["bad"]}
    )
    code, out, err = run_tree(data_dir, path)
    assert code == 1
    assert "failed in" in out
    assert "1 blocked" in out
    assert err == "failed: bad: [red]no\\x1b[31m\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[{"name": "a", "dependencies": ["b"]}]', "[0].dependencies[0]"),
        ("[1, 2", "JSON"),
        ("a: [", "YAML"),
        (None, "No such file"),
    ],
)
def test_a_bad_file(data_dir, tmp_path, text, problem):
    path = tmp_path / "bad.json"
    if text is not None:
        path.write_text(text)
    code, out, err = run_tree(data_dir, path, "--json")
    assert (code, out) == (2, "")
    assert str(path) in err
    assert problem in err


@pytest.mark.slow
def test_an_owner_nobody_knows(data_dir, file):
    code, _, err = run_tree(data_dir, file({"name": "root"}), "--owner", "zoe")
    assert code == 2
    assert "zoe" in err


@pytest.mark.slow
def test_ctrl_c_cancels_the_run(data_dir, file):
    process = start(data_dir, "run_tree", file({"name": "root"}, simulate("long", duration_s=600, steps=1)))
    assert process.stdout.readline() == "Run #1 of 'root': 2 tasks\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=END_S)
    assert process.returncode == 130, err
    assert "cancelled in" in out


@pytest.mark.slow
def test_with_a_server_it_leaves_the_work_to_the_server(tmp_path, file):
    data_dir = tmp_path / "var"
    path = file({"name": "root"}, simulate("one", duration_s=0.3))
    code, _, err = run_tree(data_dir, path)
    assert code == 0, err
    lock = FileLock(data_dir)
    lock.acquire()  # as a server would
    waiting = start(data_dir, "run_tree", path, "--json")
    try:
        wait_for_run(data_dir, number=2, process=waiting)
        lock.release()
        code, _, err = run_tree(data_dir, path)  # this one's engine does both
        assert code == 0, err
        out, err = waiting.communicate(timeout=END_S)
    finally:
        lock.release()
        with contextlib.suppress(ProcessLookupError):
            waiting.kill()
        waiting.wait()
    assert waiting.returncode == 0, err
    assert json.loads(out)["status"] == "completed"


def test_hostile_text_steers_no_terminal():
    assert plain("a\x1b[31m\nb\u202e\x9b", 99) == "a\\x1b[31m\\nb\\u202e\\x9b"
    assert plain("[bold]x" * 9, 8) == "[bold]x…"
    glance = Glance(Status.IN_PROGRESS, 1, "[red]\x1b", COUNTS, [("[/]\x07", 0.5)], [("n\x1b", "[link]\ne")], 1.0)
    console = Console(width=200, force_terminal=False, color_system=None)
    with console.capture() as captured:
        console.print(drawn(glance))
    shown = captured.get()
    assert "'[red]\\x1b'" in shown
    assert "[/]\\x07" in shown
    assert "n\\x1b: [link]\\ne" in shown
    assert "2 of 4 ended" in shown
    assert "\x1b" not in shown
