"""The entries of the catalogue that take more than one request."""

from __future__ import annotations

import json
import statistics
import time

from daphne.http_protocol import HTTPFactory
from django.conf import settings
from django.test import Client, override_settings

from orchestration.domain.ready_queue import Slots
from orchestration.domain.secrets import Masker
from orchestration.domain.work import Ending, Outcome
from orchestration.models import AuditEntry, Dependency, Run, Task, Tree
from orchestration.services.runs import run_cancel, run_start
from orchestration.services.transitions import Transitions
from tests.api.conftest import Api, error_of
from tests.factories import make_tree, make_user, task, task_named


def refusal(answer):
    return answer.status_code, error_of(answer)["code"]


def started(tree):
    run = run_start(user=tree.owner, tree_id=tree.pk)
    return run, Transitions("test", lease_s=15, recovery_limit=3)


def finished(tree):
    run, engine = started(tree)
    outcomes = []
    while works := engine.apply(outcomes, Slots(asynchronous=9)).works:
        outcomes = [Outcome(w.run_id, w.task_id, w.attempt, Ending.COMPLETED, result="{}") for w in works]
    return run


def root_of(tree):
    return Task.objects.get(tree=tree, parent=None).pk


def scenario_BI_022(api, tree):
    """A body shorter than announced is the server's affair: it closes a silent connection after a minute, without an
    answer; no thread waits for it, so nothing has to be freed."""
    assert HTTPFactory(server=None).timeOut == 60


def scenario_BI_038(api, tree):
    _shown_as_text(api, "<script>alert(1)</script>")


def scenario_BI_039(api, tree):
    _shown_as_text(api, '" onmouseover="alert(1)')


def _shown_as_text(api, name):
    made = api.post("trees/", {"tasks": [{"name": name, "executor": "noop"}]})
    assert (made.status_code, made.json()["name"]) == (201, name)
    assert made["Content-Type"] == "application/json"
    page = api.client.get(f"/trees/{made.json()['id']}").content.decode()
    assert name not in page


def scenario_BI_018(api, tree):
    answer = api.post("trees/", b'{"name":"' + b"x" * (5 * 1024 * 1024) + b'"}')
    assert refusal(answer) == (413, "body_too_large")


def edge(api, waiting, awaited):
    return api.post(f"tasks/{waiting.pk}/dependencies/", {"depends_on": str(awaited.pk)})


def scenario_BI_092(api, tree):
    """One after the other here; really at once, 50 times: test_dependencies."""
    one, two = task_named(tree, "Report"), task_named(tree, "load")
    assert edge(api, one, two).status_code == 201
    answer = edge(api, two, one)
    assert refusal(answer) == (400, "cycle")
    assert "load waits for Report waits for load" in error_of(answer)["message"]
    assert Dependency.objects.filter(task__in=[one, two]).count() == 1


def scenario_BI_093(api, tree):
    started(tree)
    assert refusal(edge(api, task_named(tree, "Report"), task_named(tree, "load"))) == (409, "run_active")


def scenario_BI_097(api, tree):
    answers = [api.post(f"trees/{tree.pk}/runs/", {}, Idempotency_Key="k") for _ in range(2)]
    assert [(a.status_code, a.json()["id"]) for a in answers] == [(202, Run.objects.get().pk)] * 2


def scenario_BI_098(api, tree):
    """Our code for it is idempotency_conflict."""
    api.post(f"trees/{tree.pk}/runs/", {}, Idempotency_Key="k")
    other = api.post(f"trees/{tree.pk}/runs/", {"mode": "failed"}, Idempotency_Key="k")
    assert refusal(other) == (409, "idempotency_conflict")


def scenario_BI_100(api, tree):
    strict = Api(tree.owner)
    strict.client.handler.enforce_csrf_checks = True
    assert refusal(strict.post(f"trees/{tree.pk}/runs/")) == (403, "csrf")
    assert not Run.objects.exists()


def scenario_BI_101(api, tree):
    finished(tree)
    archive = api.post(f"tasks/{root_of(tree)}/archive/").json()["id"]
    assert refusal(api.post(f"trees/{archive}/runs/")) == (409, "archived")


def scenario_BI_102(api, tree):
    mine = make_tree(owner=make_user("val", role="viewer"))
    assert refusal(Api(make_user("val", role="viewer")).post(f"trees/{mine.pk}/runs/")) == (403, "forbidden")
    assert AuditEntry.objects.get(action="refused").actor == "val"


def scenario_BI_103(api, tree):
    for number in (tree.pk + 1, "123e4567-e89b-12d3-a456-426614174000", 10**30, 2**63, -1, "x"):
        assert refusal(api.post(f"trees/{number}/runs/")) == (404, "not_found")


def scenario_BI_104(api, tree):
    """While a task runs its run is active, and no other run can start: already_running."""
    run, engine = started(tree)
    engine.apply([], Slots(asynchronous=9))
    again = api.post(f"runs/{run.pk}/retry/", {"mode": "only", "chosen": [str(task_named(tree, "load").pk)]})
    assert refusal(again) == (409, "already_running")


def scenario_BI_106(api, tree):
    """Two tabs: the second finds the run of the first. Real parallel requests: tests/engine and tests/races."""
    run, _ = started(tree)
    run_cancel(user=tree.owner, run_id=run.pk)
    answers = [api.post(f"runs/{run.pk}/retry/") for _ in range(2)]
    assert [a.status_code for a in answers] == [202, 409]
    assert error_of(answers[1])["code"] == "already_running"


def scenario_BI_107(api, tree):
    finished(tree)
    load = task_named(tree, "load")
    before = Task.objects.filter(pk=load.pk).values().get()
    assert refusal(api.post(f"tasks/{load.pk}/cancel/")) == (409, "already_finished")
    assert Task.objects.filter(pk=load.pk).values().get() == before


def scenario_BI_108(api, tree):
    """A run whose tasks still stop can be cancelled again. One that has ended answers 409 already_finished: whoever
    needs the same answer twice sends an Idempotency-Key."""
    run, engine = started(tree)
    engine.apply([], Slots(asynchronous=9))
    answers = [api.post(f"runs/{run.pk}/cancel/") for _ in range(2)]
    assert [a.status_code for a in answers] == [200, 200]
    assert Run.objects.get().events.filter(kind="run_cancelling").count() == 1


def scenario_BI_111(api, tree):
    """Our code for it is stale_version; with If-Match it is 412 precondition_failed."""
    path = f"tasks/{task_named(tree, 'load').pk}/"
    assert api.patch(path, {"priority": 1, "version": 1}).status_code == 200
    assert refusal(api.patch(path, {"priority": 0, "version": 1})) == (409, "stale_version")
    assert refusal(api.patch(path, {"priority": 0}, If_Match='"1"')) == (412, "precondition_failed")
    assert api.get(path).json()["priority"] == 1


def scenario_BI_113(api, tree):
    _, engine = started(tree)
    engine.apply([], Slots(asynchronous=9))
    copy = api.post(f"tasks/{root_of(tree)}/copy/")
    assert copy.status_code == 201
    rows = api.get(f"trees/{copy.json()['id']}/tasks/").json()["items"]
    assert {(r["status"], r["attempt"]) for r in rows} == {("pending", 0)}


def scenario_BI_115(api, tree):
    """A link is always a new tree that refers to attempts: a tree can't come to contain itself, not even by linking
    the link."""
    finished(tree)
    link = api.post(f"tasks/{root_of(tree)}/link/").json()
    again = api.post(f"tasks/{link['root']}/link/")
    assert again.status_code == 201
    assert len({tree.pk, link["id"], again.json()["id"]}) == 3


def scenario_BI_116(api, tree):
    foreign = make_tree(owner=make_user("eve"))
    assert refusal(api.post(f"tasks/{root_of(foreign)}/link/")) == (404, "not_found")


def scenario_BI_118(api, tree):
    """Our code says what is wrong with the tree, not what runs: not_completed."""
    started(tree)
    answer = api.post(f"tasks/{root_of(tree)}/archive/")
    assert answer.status_code == 409
    assert Tree.objects.count() == 1


def scenario_BI_131(api, tree):
    assert refusal(api.get("trees/", Accept="text/xml")) == (406, "not_acceptable")


def sign_in(name, password, address="192.0.2.1", **more):
    return Client(REMOTE_ADDR=address).post("/login/", {"username": name, "password": password, **more})


def scenario_BI_209(api, tree):
    """Over the form: the refusal is a page with this status and text."""
    for _ in range(10):
        sign_in("ann", "wrong")
    locked = sign_in("ann", "secret")
    assert (locked.status_code, "try again later" in locked.content.decode()) == (429, True)
    assert AuditEntry.objects.filter(action="login.locked").count() == 1


def scenario_BI_210(api, tree):
    """The form is shown again with the same text (status 200, as forms do)."""
    took = {"ann": [], "who": []}
    for index in range(8):
        for name in took:
            begun = time.process_time()
            answer = sign_in(name, "wrong", address=f"192.0.2.{index}")
            took[name].append(time.process_time() - begun)
            assert answer.status_code == 200
    fast, slow = sorted(statistics.median(times) for times in took.values())
    assert slow - fast < max(0.5 * slow, 0.01)  # a busy machine; the steps are the same


def scenario_BI_211(api, tree):
    for target in ("//evil.test", "https:evil.test", "javascript:alert(1)", "/\\evil.test"):
        answer = sign_in("ann", "secret", next=target)
        assert (answer.status_code, answer["Location"]) == (302, "/")


def scenario_BI_212(api, tree):
    """Over the form: a page with this status and text."""
    begun = time.process_time()
    answer = sign_in("u", "x" * 1_000_000)
    assert (answer.status_code, "longer than 4096" in answer.content.decode()) == (400, True)
    assert time.process_time() - begun < 1


def scenario_BI_215(api, tree):
    """Over the form: a page with this status."""
    answer = Client(enforce_csrf_checks=True).post("/login/", {"username": "ann", "password": "secret"})
    assert answer.status_code == 403


def scenario_BI_034(api, tree):
    name = json.loads('"\\ud83d\\ude00"') * 200
    made = api.post("trees/", {"tasks": [{"name": name, "executor": "noop"}]})
    assert made.json()["name"] == name
    assert [t["name"] for t in api.get(f"trees/{made.json()['id']}/tasks/").json()["items"]] == [name]


def scenario_BI_014(api, tree):
    made = api.post("trees/", {"tasks": [task("a", inputs={"k": 9007199254740993})]}).json()
    assert '"k":9007199254740993' in api.get(f"tasks/{made['root']}/").content.decode()


def scenario_BI_062(api, tree):
    """Here the executor is called `command`."""
    with override_settings(ORCHESTRATION=settings.ORCHESTRATION | {"command_enabled": True}):
        answer = api.post("trees/", {"tasks": [{"name": "a", "executor": "command", "inputs": {"argv": ["id"]}}]})
    assert (answer.status_code, error_of(answer)["code"]) == (403, "executor_forbidden")
    assert AuditEntry.objects.filter(action="refused", details__contains="executor_forbidden").count() == 1


def scenario_BI_075(api, tree):
    """Secrets are a person's, not a task's. A short one is refused, so that there is none that cannot be hidden."""
    answer = api.send("put", "secrets/token/", {"value": ""})
    assert (answer.status_code, error_of(answer)["code"]) == (400, "too_short")
    assert Masker([""]).text("hello") == "hello"


def scenario_BI_076(api, tree):
    """What holds no copy is looked through in tests/security/test_canary.py."""
    assert api.send("put", "secrets/token/", {"value": "CANARY-3f9d2c"}).status_code == 200
    load = task_named(tree, "load").pk
    inputs = {"inputs": {"token": {"$secret": "token"}}}
    assert api.patch(f"tasks/{load}/", inputs, If_Match='"1"').status_code == 200
    for path in ("secrets/", "secrets/token/", f"tasks/{load}/", f"trees/{tree.pk}/export/"):
        assert b"CANARY" not in api.get(path).content
