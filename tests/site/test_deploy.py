"""What deploy/ starts exists, stops gracefully, and is told only what the program reads."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml
from cryptography.fernet import Fernet
from django.core.management import get_commands, load_command_class

from orchestration.conf import conf
from tests.support_processes import environment_of

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OURS = {name: made for name, made in COMPOSE["services"].items() if "build" in made}
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
FILLED = {
    "APFLOW_SECRET_KEY": "0123456789-abcdef_" * 4,
    "APFLOW_SECRET_KEYS": Fernet.generate_key().decode(),
    "APFLOW_ALLOWED_HOSTS": "tasks.example.org",
    "APFLOW_TRUSTED_ORIGINS": "",
    "POSTGRES_PASSWORD": "secret",
}
KNOWN = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "settings.md").read_text(), re.M))


def unit(path, section="Service"):
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read(path)
    return parser[section]


def accepted(command):
    """That manage.py has this command with these options."""
    name, *options = command[command.index("manage.py") + 1 :]
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    parser.parse_args([option.replace("%i", "8001") for option in options])


@pytest.mark.parametrize("name", OURS)
def test_a_container_starts_a_command_that_exists(name):
    accepted(OURS[name]["command"])


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_starts_a_command_that_exists(path):
    accepted(shlex.split(unit(path)["ExecStart"]))


def test_there_are_all_roles():
    commands = {" ".join(made["command"][2:4]) for made in OURS.values()}
    assert commands == {"up --no-engine", "engine", "worker"}
    assert {path.stem for path in UNITS} == {"apflow-engine", "apflow-web@", "apflow-worker@"}
    assert OURS["engine"]["deploy"]["replicas"] > 1, "one stands by"


def test_nobody_is_killed_while_tasks_may_end():
    for path in UNITS:
        service = unit(path)
        assert int(service["TimeoutStopSec"]) > conf().shutdown_s
        assert service["KillMode"] == "mixed", "SIGTERM is for the process itself, which asks its children"
    for name in ("engine", "worker"):
        assert int(OURS[name]["stop_grace_period"].removesuffix("s")) > conf().shutdown_s


def test_an_outage_leaves_no_unit_failed_for_good():
    for path in UNITS:
        assert unit(path)["Restart"] == "always"
        assert unit(path, "Unit")["StartLimitIntervalSec"] == "0"
    assert {made["restart"] for made in COMPOSE["services"].values()} == {"unless-stopped"}


def test_nobody_else_reads_the_data_directory():
    assert {unit(path)["StateDirectoryMode"] for path in UNITS} == {"0700"}


def test_the_image_can_back_up_the_database_beside_it():
    (client,) = re.findall(r"postgresql-client-(\d+)", (DEPLOY / "Dockerfile").read_text())
    server = COMPOSE["services"]["postgres"]["image"].removeprefix("postgres:")
    assert int(client) >= int(server), "pg_dump refuses newer servers"


def variables_of_compose():
    """Of a container, with what has to be in .env."""
    told = OURS["web"]["environment"]
    return {name: re.sub(r"\$\{(\w+)[^}]*\}", lambda found: FILLED[found[1]], value) for name, value in told.items()}


def variables_of_units():
    """Of a service whose apflow.env has been filled in, Redis included."""
    told = re.findall(r"^#? ?([A-Z_]+)=(.*)$", (DEPLOY / "systemd" / "apflow.env").read_text(), re.M)
    return {name: value or FILLED[name] for name, value in told}


@pytest.mark.parametrize("variables", [variables_of_compose, variables_of_units])
def test_it_passes_the_deployment_check(tmp_path, variables):
    own = environment_of(tmp_path, **variables() | {"APFLOW_DATA_DIR": str(tmp_path)})
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")


def test_only_variables_that_are_read_are_set():
    file = (DEPLOY / "systemd" / "apflow.env").read_text()
    named = set(re.findall(r"^#? ?([A-Z_]+)=", file, re.M))
    image = set(re.findall(r"\b(APFLOW_\w+)=", (DEPLOY / "Dockerfile").read_text()))
    for made in OURS.values():
        named |= made["environment"].keys()
    assert "DATABASE_URL" in named
    assert named | image <= KNOWN
