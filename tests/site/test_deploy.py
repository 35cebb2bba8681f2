"""What deploy/ starts exists, stops gracefully, and is told only what the program reads."""

from __future__ import annotations

import re
import shlex
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from orchestration.conf import conf

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OURS = {name: made for name, made in COMPOSE["services"].items() if "build" in made}
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
KNOWN = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "settings.md").read_text(), re.M))


def unit(path):
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read(path)
    return parser["Service"]


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


def test_only_variables_that_are_read_are_set():
    file = (DEPLOY / "systemd" / "apflow.env").read_text()
    named = set(re.findall(r"^#? ?([A-Z_]+)=", file, re.M))
    image = set(re.findall(r"\b(APFLOW_\w+)=", (DEPLOY / "Dockerfile").read_text()))
    for made in OURS.values():
        named |= made["environment"].keys()
    assert "DATABASE_URL" in named
    assert named | image <= KNOWN
