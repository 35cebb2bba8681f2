"""Settings from the environment: unsafe ones are refused at the start, by name."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from apflow_site.env import env_bool, env_float, env_int, env_list
from apflow_site.secret import secret_key

ROOT = Path(__file__).resolve().parents[2]
SAFE = {
    "APFLOW_PRODUCTION": "1",
    "APFLOW_SECRET_KEY": "0123456789-abcdef_" * 4,
    "APFLOW_ALLOWED_HOSTS": "example.org",
}


def check(tmp_path, variables, *arguments):
    base = {name: value for name, value in os.environ.items() if not name.startswith("APFLOW_")}
    environ = base | {"APFLOW_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "apflow_site.settings"} | variables
    command = [sys.executable, "manage.py", "check", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def test_safe_production_passes_the_deployment_check(tmp_path):
    done = check(tmp_path, SAFE, "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"APFLOW_SECRET_KEY": ""}, "APFLOW_SECRET_KEY"),
        ({"APFLOW_SECRET_KEY": "short"}, "APFLOW_SECRET_KEY"),
        ({"APFLOW_SECRET_KEY": "ab" * 40}, "APFLOW_SECRET_KEY"),
        ({"APFLOW_ALLOWED_HOSTS": ""}, "APFLOW_ALLOWED_HOSTS"),
        ({"APFLOW_ALLOWED_HOSTS": "*"}, "APFLOW_ALLOWED_HOSTS"),
        ({"APFLOW_DEBUG": "1"}, "APFLOW_DEBUG"),
        ({"APFLOW_LEASE_S": "0"}, "APFLOW_LEASE_S"),
        ({"APFLOW_DATABASE_POOL": "4"}, "APFLOW_DATABASE_POOL"),
        ({"DATABASE_URL": "mysql://u@h/x"}, "DATABASE_URL"),
        ({"APFLOW_SQLITE_SYNCHRONOUS": "OFF"}, "APFLOW_SQLITE_SYNCHRONOUS"),
    ],
)
def test_unsafe_production_does_not_start(tmp_path, change, named):
    done = check(tmp_path, SAFE | change)
    assert done.returncode == 1
    assert named in done.stderr


def test_the_key_is_made_once_for_its_owner_only(tmp_path):
    key = secret_key(tmp_path, production=False)
    assert len(key) >= 50
    assert secret_key(tmp_path, production=False) == key
    file = tmp_path / "secret_key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    with pytest.raises(ImproperlyConfigured, match="read by others"):
        secret_key(tmp_path, production=False)


def test_values_are_typed_and_bad_ones_are_named(monkeypatch):
    monkeypatch.setenv("APFLOW_X", " 7 ")
    assert env_int("APFLOW_X", 1) == 7
    assert env_float("APFLOW_X", 1.0) == 7.0
    monkeypatch.setenv("APFLOW_X", "a, b,,")
    assert env_list("APFLOW_X") == ["a", "b"]
    for read in (lambda: env_bool("APFLOW_X"), lambda: env_int("APFLOW_X", 1), lambda: env_float("APFLOW_X", 1.0)):
        with pytest.raises(ImproperlyConfigured, match="APFLOW_X"):
            read()
    for bad in ("nan", "-1"):
        monkeypatch.setenv("APFLOW_X", bad)
        with pytest.raises(ImproperlyConfigured, match="APFLOW_X"):
            env_float("APFLOW_X", 1.0)


def test_every_variable_is_documented():
    sources = [ROOT / "apflow_site" / name for name in ("settings.py", "secret.py", "bootstrap.py")]
    used = {name for path in sources for name in re.findall(r'"(APFLOW_[A-Z_]+)"', path.read_text())}
    documented = set(re.findall(r"`(APFLOW_[A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text()))
    assert used == documented
