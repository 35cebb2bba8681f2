from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from orchestration import guards
from orchestration.engine.headless import drive_until_ended
from orchestration.models import Attempt, AuditEntry, Event, Run, Task
from orchestration.services import audit
from orchestration.services.retention import Pruned, prune, prune_preview
from orchestration.services.runs import run_start
from tests.factories import make_tree, task, task_named

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tree():
    steps = [
        task("a"),
        task("b", after=["a"]),
        task("bad", executor="simulate", inputs={"duration_s": 0, "fail": "broken"}),
    ]
    return make_tree(task("root", executor=""), *steps, task("never", after=["bad"]))


def run(tree, **options):
    run_id, _ = drive_until_ended(lambda: run_start(user=tree.owner, tree_id=tree.pk, **options))
    return run_id


def told(capsys, *args, **options):
    try:
        call_command(*args, **options)
    except SystemExit as end:
        return end.code, capsys.readouterr().out
    except CommandError as error:
        return 1, capsys.readouterr().out + str(error)
    return 0, capsys.readouterr().out


def test_the_log_of_what_really_ran_is_right(tree, capsys):
    first, second = run(tree), run(tree, mode="failed")
    assert told(capsys, "verify_log") == (0, "2 runs are as their events tell.\n")
    assert told(capsys, "verify_log", str(first), str(second))[0] == 0
    assert told(capsys, "verify_log", "999999")[0] == 1


def test_a_changed_row_and_a_lost_event_are_found(tree, capsys):
    first, second = run(tree), run(tree, mode="failed")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM orchestration_event WHERE run_id = %s AND seq = 3", [first])
    Run.objects.filter(pk=second).update(completed=7)
    Task.objects.filter(name="bad").update(error="another one")
    code, text = told(capsys, "verify_log")
    assert code == 1
    assert f"run {first}: event 3 is missing" in text
    assert f"run {second}: the run counts 7 completed tasks" in text
    assert "error is another one" in text
    assert "2 of 2 runs differ" in text


def test_prune_takes_old_runs_only(tree):
    runs = [run(tree) for _ in range(3)]
    audit.record(action="test")
    assert prune_preview(timezone.now()).runs == 2
    assert prune(timezone.now() - timedelta(days=1)) == Pruned()
    would = prune_preview(timezone.now())
    assert prune(timezone.now()) == would
    assert would.events > 0
    assert would.attempts > 0
    assert list(Run.objects.values_list("pk", flat=True)) == [runs[-1]]
    assert not Event.objects.exclude(run_id=runs[-1]).exists()
    assert not Attempt.objects.exclude(run_id=runs[-1]).exists()
    assert AuditEntry.objects.filter(action="test").exists()
    assert prune(timezone.now()) == Pruned()
    call_command("verify_log", verbosity=0)


def test_prune_keeps_what_is_shown_or_linked(tree):
    first, second = run(tree), run(tree, mode="failed")  # the results of a and b are still those of the first
    assert prune(timezone.now()) == Pruned()
    third = run(tree)
    linked = Attempt.objects.get(run_id=first, task=task_named(tree, "a"))
    other = make_tree(task("x"))
    Task.objects.filter(tree=other).update(linked_attempt=linked)
    assert prune(timezone.now()).runs == 1
    assert set(Run.objects.values_list("pk", flat=True)) == {first, third}
    assert not Run.objects.filter(pk=second).exists()


def test_prune_keeps_active_runs_and_counts_when_dry(tree, capsys):
    run(tree)
    second = run(tree)
    active = run_start(user=tree.owner, tree_id=tree.pk)
    assert "Would delete 1 runs" in told(capsys, "prune", days=0, dry_run=True)[1]
    assert Run.objects.count() == 3
    assert "Deleted 1 runs" in told(capsys, "prune", days=0)[1]
    assert list(Run.objects.values_list("pk", flat=True)) == [active.pk, second]
    assert told(capsys, "prune", days=-1)[0] == 1


def test_doctor_finds_a_healthy_installation_and_a_broken_one(tree, capsys):
    run(tree)
    code, text = told(capsys, "doctor", json=True)
    found = {check["name"]: check for check in json.loads(text)["checks"]}
    assert code == (1 if any(c["state"] == "fail" for c in found.values()) else 0)
    for name in ("python", "database", "triggers", "event log", "audit log", "stuck runs", "clock"):
        assert found[name]["state"] == "ok", found[name]
    with connection.cursor() as cursor:
        guards.uninstall(connection)
        cursor.execute("DELETE FROM orchestration_event WHERE seq = 2")
    try:
        code, text = told(capsys, "doctor", json=True)
    finally:
        guards.install(connection)
    found = {check["name"]: check for check in json.loads(text)["checks"]}
    assert code == 1
    assert found["triggers"]["state"] == found["event log"]["state"] == "fail"
    assert found["triggers"]["remedy"]
    assert "guard_event" in found["triggers"]["found"]


def test_doctor_prints_a_table(capsys):
    _, text = told(capsys, "doctor")
    assert "audit log" in text
    assert "synchronous" in text
