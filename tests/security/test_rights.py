"""A run has the rights of its tree's owner, as they are when each task starts."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection

from orchestration.domain.errors import Forbidden, Invalid
from orchestration.domain.ready_queue import Slots
from orchestration.domain.rights import ExecutorForbidden, Rights
from orchestration.domain.states import Status
from orchestration.domain.work import Ending, Outcome
from orchestration.executors import ExecutionContext, ExecutorError
from orchestration.executors.http import Http
from orchestration.executors.http_guard import AllowList, GuardedBackend
from orchestration.models import Attempt, AuditEntry, Task, TreeShare
from orchestration.selectors.rights import rights_of
from orchestration.services.runs import run_start
from orchestration.services.tokens import token_create
from orchestration.services.transitions import Transitions
from tests.api.conftest import Api, error_of, with_token
from tests.factories import grant, make_tree, make_user, task, task_named

pytestmark = [pytest.mark.django_db, pytest.mark.authz]
COMMAND = {"argv": [sys.executable, "-c", "print(1)"]}


class Places:
    """Room for *count* attempts."""

    def __init__(self, count=10):
        self.count = count

    def after(self, _outcomes):
        return Slots(self.count, self.count)


@pytest.fixture
def commands(settings):
    settings.ORCHESTRATION = settings.ORCHESTRATION | {"command_enabled": True, "command_allow": [sys.executable]}


@pytest.fixture
def engine(db):
    return Transitions("here", lease_s=60, recovery_limit=1)


def step(engine, *outcomes, count=10):
    return engine.apply(list(outcomes), Places(count))


def state_of(tree, name):
    found = task_named(tree, name)
    codes = Attempt.objects.filter(task=found, number=found.attempt).values_list("error_code", flat=True)
    return found.status, codes[0] if codes else ""


@contextmanager
def statements():
    """The SQL of all that is asked meanwhile, that of the engine's own cursor included."""
    seen = []

    def see(run, sql, params, many, context):
        seen.append(sql)
        return run(sql, params, many, context)

    with connection.execute_wrapper(see):
        yield seen


# --- looked up -----------------------------------------------------------------------------------------------------


def test_rights_come_from_groups_and_permissions_in_one_query():
    ann, bob = make_user("ann"), grant(make_user("bob", role="viewer"), "http_private")
    boss = User.objects.create_superuser("boss")
    gone = make_user("gone", is_active=False)
    with statements() as asked:
        found = rights_of([ann.pk, bob.pk, boss.pk, gone.pk, 999_999, None])
    assert len(asked) == 1
    assert found[ann.pk] == Rights("ann", True, False, frozenset({"run_tree"}))
    assert found[bob.pk].granted == {"http_private"}
    assert [found[boss.pk].may(right) for right in ("run_tree", "http_private", "use_shell")] == [True, True, False]
    assert not found[gone.pk].may("run_tree")
    assert found[999_999] == found[None] == Rights()
    assert rights_of([grant(boss, "use_shell").pk])[boss.pk].may("use_shell")


def test_a_group_can_give_the_shell(commands):
    group = Group.objects.create(name="shells")
    ann = make_user("ann")
    with pytest.raises(ExecutorForbidden):
        make_tree(task("c", executor="command", inputs=COMMAND), owner=ann)
    group.permissions.set(grant(make_user("bob"), "use_shell").user_permissions.all())
    ann.groups.add(group)
    assert make_tree(task("c", executor="command", inputs=COMMAND), owner=ann).pk


# --- as tasks start ------------------------------------------------------------------------------------------------


def test_a_right_that_is_taken_away_fails_the_queued_task(engine, commands):
    ann = grant(make_user("ann"), "use_shell")
    tree = make_tree(
        task("root", executor=""), task("first"), task("shell", executor="command", inputs=COMMAND, after=["first"]),
        task("plain", after=["first"]), owner=ann,
    )  # fmt: skip
    run = run_start(user=ann, tree_id=tree.pk)
    work = step(engine).works[0]
    ann.user_permissions.clear()
    done = step(engine, Outcome(run.pk, work.task_id, work.attempt, Ending.COMPLETED, result="1"))
    assert [w.name for w in done.works] == ["plain"]
    assert state_of(tree, "shell") == (Status.FAILED, "executor_forbidden")
    assert "use_shell" in task_named(tree, "shell").error
    assert Attempt.objects.get(task__name="shell").try_number == 1


@pytest.mark.parametrize("end", ["deactivated", "demoted", "group emptied"])
def test_nothing_starts_for_an_owner_who_may_not_run(engine, end):
    ann = make_user("ann")
    tree = make_tree(task("root", executor=""), task("first"), owner=ann)
    run = run_start(user=ann, tree_id=tree.pk)
    if end == "deactivated":
        User.objects.filter(pk=ann.pk).update(is_active=False)
    elif end == "demoted":
        make_user("ann", role="viewer")
    else:
        Group.objects.get(name="operator").permissions.clear()
    assert step(engine).works == []
    assert state_of(tree, "first") == (Status.FAILED, "executor_forbidden")
    run.refresh_from_db()
    assert run.status == Status.FAILED


def test_the_owner_counts_and_not_who_pressed_the_button(engine, commands):
    ann, carla = grant(make_user("ann"), "use_shell"), make_user("carla")
    tree = make_tree(task("shell", executor="command", inputs=COMMAND), owner=ann)
    TreeShare.objects.create(tree=tree, user=carla, right=TreeShare.RUN)
    run_start(user=carla, tree_id=tree.pk)
    assert [work.name for work in step(engine).works] == ["shell"]


def test_owners_are_asked_about_once_a_step(engine):
    ann = make_user("ann")
    tree = make_tree(task("root", executor=""), *(task(f"t{n}") for n in range(50)), owner=ann)
    run_start(user=ann, tree_id=tree.pk)
    with statements() as asked:
        assert len(step(engine, count=40).works) == 40
    assert len(asked) <= 25
    assert sum("auth_user" in statement for statement in asked) == 1
    assert not any("orchestration_secret" in statement for statement in asked)


def test_a_superuser_needs_the_shell_right_too(engine, commands):
    boss = grant(User.objects.create_superuser("boss"), "use_shell")
    tree = make_tree(task("shell", executor="command", inputs=COMMAND), owner=boss)
    boss.user_permissions.clear()
    run_start(user=boss, tree_id=tree.pk)
    assert step(engine).works == []
    assert state_of(tree, "shell") == (Status.FAILED, "executor_forbidden")


# --- private networks ----------------------------------------------------------------------------------------------


@pytest.mark.ssrf
@pytest.mark.parametrize("url", ["http://10.0.0.5/", "http://intranet.test/"])
def test_private_places_need_the_allow_list_and_the_right(settings, url):
    tried = []

    async def resolver(_host, _port):
        return ["10.0.0.5"]

    class Inner:
        async def connect_tcp(self, host, *_):
            tried.append(host)
            raise OSError("nobody is there")

    def code(allow, *, private):
        settings.ORCHESTRATION = settings.ORCHESTRATION | {"http_allow": allow}
        executor = Http()
        executor.resolver = resolver
        context = ExecutionContext(inputs={"url": url}, params={}, private_network=private)
        try:
            asyncio.run(executor.run(context))
        except ExecutorError as error:
            return error.code
        except OSError:
            return "tried"

    original = GuardedBackend.__init__

    def guarded(self, *args):
        original(self, *args)
        self.inner = Inner()

    try:
        GuardedBackend.__init__ = guarded
        assert code([], private=True) == "blocked_address"
        assert code(["10.0.0.0/8"], private=False) == "executor_forbidden"
        assert tried == []
        assert code(["10.0.0.0/8"], private=True) == "tried"
        assert tried == ["10.0.0.5"]
    finally:
        GuardedBackend.__init__ = original


@pytest.mark.ssrf
def test_this_server_s_own_address_is_open_to_everybody():
    allow = AllowList([], ["80"], own=["127.0.0.1:8123"], private=False)
    allow.check_port("127.0.0.1", 8123)
    with pytest.raises(ExecutorError):
        allow.check_port("127.0.0.1", 8124)


def test_work_says_whether_its_owner_may_reach_private_places(engine):
    for name, rights in (("ann", ()), ("bob", ("http_private",))):
        user = grant(make_user(name), *rights)
        run_start(user=user, tree_id=make_tree(task(name), owner=user).pk)
    assert {work.name: work.private_network for work in step(engine).works} == {"ann": False, "bob": True}


# --- as trees are written, and by tokens ---------------------------------------------------------------------------


def body():
    return {"tasks": [{"name": "c", "executor": "command", "inputs": COMMAND}]}


def test_commands_are_refused_while_they_are_off():
    answer = Api(grant(make_user("ann"), "use_shell")).post("trees/", body())
    assert (answer.status_code, error_of(answer)["code"]) == (400, "executor_disabled")
    with pytest.raises(Invalid):
        make_tree(task("c", executor="command"), owner=make_user("bob"))


def test_commands_are_refused_without_the_right_and_that_is_written_down(commands):
    answer = Api(make_user("ann")).post("trees/", body())
    assert (answer.status_code, error_of(answer)["code"]) == (403, "executor_forbidden")
    assert AuditEntry.objects.get(action="refused").details.count("executor_forbidden") == 1
    assert Task.objects.count() == 0


def test_a_token_runs_commands_only_with_its_own_right(commands):
    ann = grant(make_user("ann"), "use_shell")
    tree = make_tree(task("c", executor="command", inputs=COMMAND), owner=ann)
    for scope in ("run", "admin"):
        answer = with_token(ann, scope).post(f"trees/{tree.pk}/runs/")
        assert (answer.status_code, error_of(answer)["code"]) == (403, "token_scope")
    answer = with_token(ann).post("trees/", body())
    assert (answer.status_code, error_of(answer)["code"]) == (403, "token_scope")
    call = {"jsonrpc": "2.0", "id": 1, "method": "tasks.execute", "params": {"task_id": str(task_named(tree, "c").pk)}}
    assert "error" in with_token(ann).post("/apflow/tasks", call).json()
    able = Api(token=token_create(user=ann, name="able", scope="run", use_shell=True)[1])
    assert able.post(f"trees/{tree.pk}/runs/").status_code == 202


def test_a_trigger_is_no_way_round_for_a_token(commands):
    ann = grant(make_user("ann"), "use_shell")
    tree = make_tree(task("c", executor="command", inputs=COMMAND), owner=ann)
    answer = with_token(ann).post(f"trees/{tree.pk}/triggers/", {"name": "t"})
    assert (answer.status_code, error_of(answer)["code"]) == (403, "token_scope")


def test_only_staff_with_the_right_cancels_what_others_run():
    ann = make_user("ann")
    run = run_start(user=ann, tree_id=make_tree(task("t"), owner=ann).pk)
    plain, able = make_user("sam", role=None, is_staff=True), make_user("tom", role=None, is_staff=True)
    assert Api(plain).post(f"runs/{run.pk}/cancel/").status_code == 403
    assert Api(grant(make_user("una"), "cancel_any")).post(f"runs/{run.pk}/cancel/").status_code == 404
    assert Api(grant(able, "cancel_any")).post(f"runs/{run.pk}/cancel/").status_code == 200


def test_who_manages_users_ends_everybody_s_tokens():
    token, _ = token_create(user=make_user("ann"), name="t")
    assert Api(make_user("eve")).delete(f"tokens/{token.pk}/").status_code == 404
    assert Api(make_user("adam", role="admin")).delete(f"tokens/{token.pk}/").status_code == 200
    token.refresh_from_db()
    assert token.revoked_at is not None
    with pytest.raises(Forbidden):
        Rights("x", True).check("noop", "")
