"""What is unsafe does not start, and says how to mend it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import Tags, run_checks

from orchestration.services import secret_keys

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("up", "worker", "engine", "run_tree")


def start(tmp_path, command, variables):
    base = {name: value for name, value in os.environ.items() if not name.startswith("APFLOW_")}
    environ = base | {"APFLOW_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "apflow_site.settings"} | variables
    environ["APFLOW_BOOTSTRAP"] = "0"
    words = [sys.executable, "manage.py", *command]
    return subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=120)


def found(tag=Tags.security):
    return [message.id for message in run_checks(tags=[tag]) if message.id.startswith("orchestration")]


def test_commands_are_never_run_as_root(settings, monkeypatch):
    assert found() == []
    settings.ORCHESTRATION = settings.ORCHESTRATION | {"command_enabled": True}
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert found() == []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert found() == ["orchestration.E001"]


def test_a_database_that_others_can_read_is_refused(settings, tmp_path, monkeypatch):
    data = tmp_path / "data"
    data.mkdir()
    file = data / "apflow.sqlite3"
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.sqlite3")
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", str(file))
    opened = [*tmp_path.parents, tmp_path]
    assert found() == []  # the directories of tests are closed
    real = Path.stat

    def as_if_open(self, **options):
        status = real(self, **options)
        return os.stat_result((status.st_mode | 0o001, *status[1:])) if self in opened else status

    monkeypatch.setattr(Path, "stat", as_if_open)
    data.chmod(0o755)
    assert found() == ["orchestration.E003"]  # the file is not there yet, and would be open
    file.touch()
    file.chmod(0o600)
    assert found() == []
    file.chmod(0o644)
    assert found() == ["orchestration.E003"]
    data.chmod(0o700)
    assert found() == []


def test_keys_that_others_can_read_are_refused(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    secret_keys.seal("anything")
    assert found() == []
    secret_keys.key_file().chmod(0o640)
    assert found() == ["orchestration.E002"]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_that_works_starts_then(tmp_path, command):
    (tmp_path / secret_keys.FILE).write_text("x")
    (tmp_path / secret_keys.FILE).chmod(0o644)
    done = start(tmp_path, [command, *(["noop.json"] if command == "run_tree" else [])], {})
    assert done.returncode != 0
    assert "orchestration.E002" in done.stderr
    database = tmp_path / "apflow.sqlite3"
    assert not database.exists() or database.stat().st_size <= 4096  # no table was made


@pytest.mark.skipif(
    os.geteuid() != 0,
    reason="only root can show what root is refused; the others are refused in test_commands_are_never_run_as_root",
)
def test_check_says_so_too(tmp_path):
    done = start(tmp_path, ["check", "--tag", "security"], {"APFLOW_COMMAND_ENABLED": "1"})
    assert done.returncode == 1
    assert "would run as root" in done.stderr


def test_a_key_that_is_none_is_refused(tmp_path):
    done = start(tmp_path, ["check"], {"APFLOW_SECRET_KEYS": "short"})
    assert done.returncode == 1
    assert "APFLOW_SECRET_KEYS" in done.stderr
