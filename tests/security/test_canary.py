"""A secret goes to its executor and nowhere else: a canary is used, printed, raised, exported, and looked for."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from orchestration.executors.base import Executor
from orchestration.models import Attempt, AuditEntry, Event, Task
from orchestration.services.runs import run_start
from orchestration.services.secret_keys import key_file
from tests.api.conftest import Api
from tests.engine.support import EngineThread, ended, registered
from tests.factories import grant, make_tree, task, task_named
from tests.security.support import CANARY, keeper, leaks

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.secrets]
TOKEN = {"$secret": "token"}
SHOUT = """import base64, os, sys, urllib.parse as u
s = os.environ['TOKEN']
print(s); print(u.quote(s, safe='')); print(base64.b64encode(s.encode()).decode())
print('x' * 600_000 + s[:9])
sys.exit('failed with ' + s)"""
got: list[str] = []


class Tells(Executor):
    """Says what it was given in every way that there is."""

    id = "s_tells"
    name = "Tells"
    isolated = False

    async def run(self, ctx):
        secret = ctx.inputs["deep"][0]["token"]
        got.append(secret)
        ctx.progress(0.5, f"half way with {secret}")
        await asyncio.sleep(0.25)  # long enough for the progress to be stored
        ctx.log(f"logged {secret} {quote(secret, safe='')} {json.dumps(secret)}")
        basic = base64.b64encode(f"u:{secret}!".encode()).decode()
        return {"plain": secret, secret: [quote(secret), basic], "param": ctx.params["also"], "same": repr(secret)}


class Raises(Tells):
    id = "s_raises"
    name = "Raises"

    async def run(self, ctx):
        raise ValueError(f"no use for {ctx.params['also']}")


@pytest.fixture
def tree(monkeypatch, settings):
    allowed = {"command_enabled": True, "command_allow": [sys.executable]}
    settings.ORCHESTRATION = settings.ORCHESTRATION | allowed
    monkeypatch.setenv("APFLOW_COMMAND_ENABLED", "1")  # for the processes of attempts
    monkeypatch.setenv("APFLOW_COMMAND_ALLOW", sys.executable)
    got.clear()
    ann = grant(keeper(token=CANARY), "use_shell")
    with registered(Tells, Raises):
        yield make_tree(
            task("root", executor=""),
            task("tells", executor="s_tells", inputs={"deep": [{"token": TOKEN}]}, params={"also": TOKEN}),
            task("hears", executor="s_raises", params={"also": TOKEN}, after=["tells"]),
            task("shouts", executor="command", inputs={"argv": [sys.executable, "-c", SHOUT], "env": {"TOKEN": TOKEN}}),
            task("asks", executor="http", inputs={"url": TOKEN}),
            task("chooses", executor="http", inputs={"url": "https://example.com", "method": TOKEN}),
            owner=ann,
        )


def everything_stored():
    """Every value of every table, and on SQLite the bytes of the files."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                yield table, " ".join(map(str, row))
    if connection.vendor == "sqlite":
        for path in Path(connection.settings_dict["NAME"]).parent.glob("*.sqlite3*"):
            yield path.name, path.read_bytes()


def everything_shown(user, tree, run):
    api, pages = Api(user), Client()
    pages.force_login(user)
    one = task_named(tree, "tells").pk
    below = {
        f"trees/{tree.pk}/": ("", "tasks/", "export/", "export/?state=true", "dry-run/"),
        f"runs/{run.pk}/": ("attempts/", "events/", "explain/"),
        f"tasks/{one}/": ("", "attempts/1/", "explain/"),
    }
    for path in ("secrets/", "secrets/token/", *(start + tail for start, tails in below.items() for tail in tails)):
        answer = api.get(path)
        assert answer.status_code == 200, (path, answer.content)
        yield path, b"".join(answer.streaming_content) if answer.streaming else answer.content
    below = {
        f"/trees/{tree.pk}": ("", "/export.json", "/dry-run"),
        f"/runs/{run.pk}": ("", "/data", "/events"),
        f"/tasks/{one}": ("", "/edit"),
        f"/tasks/{task_named(tree, 'shouts').pk}": ("",),
    }
    for path in ("/me/secrets", *(start + tail for start, tails in below.items() for tail in tails)):
        answer = pages.get(path)
        assert answer.status_code == 200, path
        yield path, answer.content


def test_the_canary_is_nowhere_but_in_its_executor(tree, tmp_path, caplog, capfd):
    run = run_start(user=tree.owner, tree_id=tree.pk)
    with EngineThread(tmp_path):
        ended(run)
    assert got == [CANARY]
    codes = dict(Attempt.objects.values_list("task__name", "error_code"))
    assert codes == {"root": "", "tells": "", "hears": "executor_error", "shouts": "command_failed",
                     "asks": "invalid_url", "chooses": "invalid_inputs"}  # fmt: skip
    told = Attempt.objects.get(task__name="tells")
    assert told.result["plain"] == told.result["param"] == "***"
    assert told.inputs == {"deep": [{"token": TOKEN}]}
    assert "half way with ***" in str(list(Event.objects.values_list("data", flat=True)))
    assert "failed with ***" in Attempt.objects.get(task__name="shouts").error
    places = [*everything_stored(), *everything_shown(tree.owner, tree, run)]
    assert len(places) > 100
    assert [(where, found) for where, text in places if (found := leaks(text))] == []
    out, err = capfd.readouterr()
    assert leaks(out + err + caplog.text) == []
    assert threading.active_count() < 50
    assert CANARY.encode() not in key_file().read_bytes()
    assert key_file().stat().st_mode & 0o077 == 0
    assert AuditEntry.objects.filter(action="secret.set").count() == 1
    assert settings.DATA_DIR in key_file().parents


def test_what_a_dependency_says_asks_for_no_secret(tree, tmp_path):
    """A hostile service answers {"$secret": ...}: that stays the text that it is."""

    class Asks(Executor):
        id = "s_asks"
        name = "Asks"
        isolated = False

        async def run(self, ctx):
            return {"token": TOKEN, "deep": [{"token": TOKEN}], "also": 1}

    class Shows(Executor):
        id = "s_shows"
        name = "Shows"
        isolated = False
        merges_results = True

        async def run(self, ctx):
            got.append(json.dumps([ctx.inputs, ctx.params]))
            return None

    with registered(Asks, Shows):
        other = make_tree(task("root", executor=""), task("asks", executor="s_asks"),
                          task("shows", executor="s_shows", inputs={"mine": TOKEN}, after=["asks"]),
                          owner=tree.owner)  # fmt: skip
        run = run_start(user=tree.owner, tree_id=other.pk)
        with EngineThread(tmp_path):
            assert ended(run).status == "completed"
    inputs, _ = json.loads(got[0])
    assert inputs == {"mine": CANARY, "token": TOKEN, "deep": [{"token": TOKEN}], "also": 1}


def test_a_missing_secret_fails_the_task_before_any_work(tree, tmp_path):
    tree.owner.secrets.all().delete()
    run = run_start(user=tree.owner, tree_id=tree.pk)
    with EngineThread(tmp_path):
        ended(run)
    assert got == []
    failed = Task.objects.filter(tree=tree, status="failed")
    assert set(failed.values_list("name", flat=True)) == {"tells", "shouts", "asks", "chooses"}
    attempt = Attempt.objects.get(task__name="tells")
    assert (attempt.error_code, "no secret 'token'" in attempt.error) == ("secret_missing", True)


def test_a_lost_key_fails_the_task_and_says_so(tree, tmp_path):
    key_file().rename(tmp_path / "away")
    run = run_start(user=tree.owner, tree_id=tree.pk)
    with EngineThread(tmp_path / "engine"):
        ended(run)
    (tmp_path / "away").rename(key_file())
    assert got == []
    assert Attempt.objects.get(task__name="tells").error_code == "secret_unreadable"
