"""`manage.py test` takes pytest's arguments, and spreads tests over processes where that pays."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.conf import settings

from orchestration.management import spread

MANY = ["tests/domain", "tests/guards"]


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(spread, "cores", lambda: 2)


def options(*given):
    return spread.parallel(given, settings.BASE_DIR)


@pytest.mark.parametrize(
    "given",
    [
        [], ["-x"], ["-q", "-k", "name or other"], ["-m", "not slow"], MANY, ["--last-failed"],
        ["tests/guards/test_guards.py", "tests/site/test_up.py"], ["-p", "no:cacheprovider"], ["--nonsense"],
    ],
)  # fmt: skip
def test_several_files_are_spread(two_cores, given):
    assert options(*given) == ["-n", "4", "--dist", "loadfile", "--no-loadscope-reorder"]


@pytest.mark.parametrize(
    "given",
    [
        ["-n", "3"], ["-n0"], ["-n4"], ["-nauto"], ["--numprocesses=2"], ["-p", "no:xdist"], ["-pno:xdist"],
        ["--dist", "load"], ["--pdb"], ["-s"], ["--collect-only"], ["--help"],
    ],
)  # fmt: skip
def test_who_says_how_is_obeyed(two_cores, given):
    assert options(*given, *MANY) == []


ONE_FILE = [["tests/site/test_up.py"], ["tests/guards"], ["tests/guards/test_guards.py::test_a", "-x", "tests/guards"]]


@pytest.mark.parametrize("given", ONE_FILE)
def test_a_single_file_stays_in_one_process(two_cores, given):
    assert options(*given) == []


def test_one_core_is_one_process(monkeypatch):
    monkeypatch.setattr(spread, "cores", lambda: 1)
    assert options() == []


def test_many_cores_are_not_all_taken(monkeypatch):
    monkeypatch.setattr(spread, "cores", lambda: 64)
    assert options()[:2] == ["-n", str(spread.MOST)]


@pytest.mark.slow
def test_the_command_ends_like_pytest_and_says_the_counts_last(tmp_path):
    for name in ("good", "bad"):
        (tmp_path / f"test_{name}.py").write_text(f"def test_{name}():\n    assert {name == 'good'}\n")
    command = [sys.executable, "manage.py", "test", str(tmp_path), "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed in " in done.stdout.splitlines()[-1]
