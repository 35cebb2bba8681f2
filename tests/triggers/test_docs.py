"""docs/triggers.md: every command in it works, in order; the signed one in a real shell with curl and openssl."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from orchestration.models import Run
from orchestration.services.tokens import token_create
from tests.api.conftest import Api
from tests.api.test_guide import TAKEN, call, taken
from tests.factories import make_tree, make_user, task, task_named
from tests.triggers.conftest import end

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "triggers.md"
TOOLS = [name for name in ("sh", "curl", "openssl") if shutil.which(name) is None]


@pytest.fixture
def values():
    """What the guide takes as given."""
    ann = make_user("ann")
    tree = make_tree(task("Report", executor=""), task("load"), owner=ann)
    return tree, {
        "URL": "",
        "TOKEN": token_create(user=ann, name="guide", scope="admin")[1],
        "TREE": str(tree.pk),
        "TASK": str(task_named(tree, "load").pk),
        "SOON": (timezone.now() + timedelta(days=7)).isoformat(),
    }


def followed(values, upto=""):
    """The values after all commands (before *upto*) have worked."""
    text, answer = GUIDE.read_text(), None
    text = text.partition(upto)[0] if upto else text
    for line in "".join(re.findall(r"```console\n(.*?)```", text, re.DOTALL)).splitlines():
        if line.startswith("$ curl"):
            answer = call(Api(), line[2:], values)
            assert answer.status_code in (200, 201, 202, 204), (line, answer.content)
        else:
            name, path = TAKEN.fullmatch(line).groups()
            values[name] = taken(answer, path).removeprefix("http://testserver")
    return values


@pytest.mark.django_db
def test_every_command_works(values):
    tree, given = values
    found = followed(given)
    run = Run.objects.get(tree=tree)
    assert (str(run.pk), run.started_via) == (found["RUN"], "trigger nightly-build")


@pytest.mark.skipif(bool(TOOLS), reason=f"not installed: apt-get install {' '.join(TOOLS)}")
@pytest.mark.django_db(transaction=True)
def test_the_signed_request_works_in_a_shell(live_server, values):
    tree, given = values
    found = followed(given, upto="```sh")
    end(tree)
    script = re.search(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)[1]
    address = live_server.url + found["SIGNED"]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "SECRET": found["SECRET"], "SIGNED": address}
    told = subprocess.run(
        ["sh", "-ec", script], env=environment, capture_output=True, text=True, timeout=30, check=True
    ).stdout
    assert '"started":true' in told, told
    run = Run.objects.latest("pk")
    assert run.started_via == "trigger signed"
    assert run.overrides == {found["TASK"]: {"inputs": {"branch": "main"}}}


def test_every_refusal_that_the_guide_names_exists():
    known = GUIDE.parents[1] / "orchestration"
    code = "".join(path.read_text() for path in known.rglob("*.py"))
    named = re.findall(r"(?:40\d|`) `([a-z_]+)`", GUIDE.read_text())
    assert {"stale_signature", "replayed", "body_not_taken", "unknown_field"} <= set(named)
    assert [name for name in named if f'"{name}"' not in code] == []
