"""The start on a bare machine."""

from __future__ import annotations

import ast
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from apflow_site import bootstrap

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-e2e.lock")


@pytest.mark.parametrize("name", ["manage.py", "apflow_site/__init__.py", "apflow_site/bootstrap.py"])
def test_an_old_python_can_read(name):
    ast.parse((ROOT / name).read_text(), feature_version=(3, 8))


def test_importing_the_bootstrap_needs_nothing_installed():
    code = "import sys, apflow_site.bootstrap; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_host_and_hashes_everything(name):
    text = (ROOT / name).read_text()
    assert "://" not in text
    pins = re.findall(r"^[\w.\[\]-]+==", text, re.M)
    assert pins
    assert len(re.findall(r"^[\w.\[\]-]+==[^\n]*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.M)) == len(pins)


def script(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return [str(path)]


@pytest.mark.skipif(bootstrap.WINDOWS, reason="shell scripts stand in for Pythons")
def test_the_first_python_that_works_is_taken(tmp_path):
    absent = [str(tmp_path / "none")]
    shim = script(tmp_path / "shim", "exit 127")
    old = script(tmp_path / "old", "exit 1")
    good = [sys.executable]
    assert bootstrap.find_python(candidates=[absent, shim, old, good]) == sys.executable
    assert bootstrap.find_python(candidates=[absent, shim, old]) is None


def test_versions_are_tried_newest_patch_first(tmp_path):
    for name in ("3.9.18", "3.12.1", "3.13.9", "3.13.10", "3.130.1", "graalpy-3.13"):
        (tmp_path / name).mkdir()
    assert bootstrap.versions_in(str(tmp_path)) == ["3.13.10", "3.13.9", "3.12.1"]
    assert bootstrap.versions_in(str(tmp_path / "none")) == []


def test_only_a_stamp_with_the_hash_of_the_lock_is_ready(tmp_path):
    (tmp_path / "requirements.lock").write_text("one")
    venv = bootstrap.Venv(str(tmp_path))
    assert not venv.is_ready()
    Path(venv.python).parent.mkdir(parents=True)
    Path(venv.python).touch()
    assert not venv.is_ready()  # as after an interrupted installation
    Path(venv.stamp).write_text(venv._digest())
    assert venv.is_ready()
    (tmp_path / "requirements.lock").write_text("two")
    assert not venv.is_ready()


def test_without_a_python_it_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "requirements.lock").write_text("")
    monkeypatch.setattr(bootstrap, "find_uv", lambda: None)
    monkeypatch.setattr(bootstrap, "find_python", lambda need_pip: None)
    with pytest.raises(SystemExit, match="python3-venv"):
        bootstrap.Venv(str(tmp_path)).ensure()


def test_inside_a_virtual_environment_it_does_nothing(monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/somewhere/else")
    assert bootstrap.bootstrap("manage.py") is None


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setenv("APFLOW_BOOTSTRAP", "0")
    assert bootstrap.bootstrap("manage.py") is None
