from __future__ import annotations

from uuid import uuid4

import pytest

from orchestration.domain.errors import AlreadyFinished, AlreadyRunning, Conflict, Forbidden, Invalid, NotFound
from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import Ending, Outcome
from orchestration.models import Run, Task
from orchestration.services.runs import run_cancel, run_preview, run_start, task_cancel
from orchestration.services.transitions import Transitions
from tests.factories import make_tree, make_user, task, task_named
from tests.support_fold import verify

pytestmark = pytest.mark.django_db


def drive(run, *failing):
    """Run *run* to its end; tasks named in *failing* fail. Returns the work that was started, by name."""
    engine = Transitions("w", lease_s=15, recovery_limit=3)
    works = {}
    todo = engine.apply([], Slots(9, 9)).works
    while todo:
        works |= {w.name: w for w in todo}
        outcomes = [
            Outcome(w.run_id, w.task_id, w.attempt, Ending.FAILED, error="no")
            if w.name in failing
            else Outcome(w.run_id, w.task_id, w.attempt, Ending.COMPLETED, result=f'"{w.name} {w.attempt}"')
            for w in todo
        ]
        todo = engine.apply(outcomes, Slots(9, 9)).works
    run.refresh_from_db()
    assert not run.is_active
    verify(run.pk)
    return works


def group(name="root"):
    return task(name, executor="")


@pytest.fixture
def user():
    return make_user()


@pytest.fixture
def chain():
    return make_tree(group(), task("a"), task("b", after=["a"]), task("c", after=["b"]), task("d"))


def start(user, tree, *failing, **options):
    run = run_start(user=user, tree_id=tree.pk, **options)
    return run, drive(run, *failing)


def test_run_failed_runs_what_failed_and_what_follows_and_reuses_the_rest(user, chain):
    first, _ = start(user, chain, "b")
    assert first.status == "failed"
    second, works = start(user, chain, mode="failed")
    assert (second.status, second.number, second.retry_of, second.total) == ("completed", 2, first, 2)
    assert set(works) == {"b", "c"}
    assert works["b"].dependencies[0].result == "a 1", "the earlier result is reused"
    assert task_named(chain, "a").run == first


def test_re_running_from_a_task_hands_on_new_results_only(user, chain):
    start(user, chain)
    _, works = start(user, chain, mode="from", chosen=[task_named(chain, "b").pk])
    assert set(works) == {"b", "c"}
    assert works["c"].dependencies[0].result == "b 2"


def test_the_scope_of_a_re_run_is_pending_before_anything_starts(user, chain):
    start(user, chain)
    run = run_start(user=user, tree_id=chain.pk, mode="from", chosen=[task_named(chain, "b").pk])
    states = dict(Task.objects.filter(tree=chain).values_list("name", "status"))
    assert states == {"root": "completed", "a": "completed", "b": "pending", "c": "pending", "d": "completed"}
    assert set(Task.objects.filter(run=run).values_list("progress", "error", "completed_at")) == {(0.0, None, None)}


def test_only_runs_a_task_and_the_upstream_it_lacks(user, chain):
    _, works = start(user, chain, mode="only", chosen=[task_named(chain, "b").pk])
    assert set(works) == {"a", "b"}
    _, works = start(user, chain, mode="only", chosen=[task_named(chain, "c").pk.hex])
    assert set(works) == {"c"}


def test_when_everything_has_completed_run_failed_has_nothing_to_do(user, chain):
    start(user, chain)
    with pytest.raises(Conflict, match="nothing would run"):
        run_start(user=user, tree_id=chain.pk, mode="failed")
    assert Run.objects.count() == 1
    _, works = start(user, chain, mode="all")
    assert set(works) == {"a", "b", "c", "d"}


def test_a_second_run_is_refused_while_one_is_active_and_the_answer_names_it(user, chain):
    run = run_start(user=user, tree_id=chain.pk)
    with pytest.raises(AlreadyRunning, match="run #1") as refused:
        run_start(user=user, tree_id=chain.pk)
    assert (refused.value.code, refused.value.status, refused.value.run_id) == ("already_running", 409, run.pk)
    other = make_tree(task("other"), owner=user)
    assert run_start(user=user, tree_id=other.pk).is_active


def test_drafts_are_refused_by_name_but_only_where_the_run_reaches_them(user):
    tree = make_tree(group(), task("a"), task("draft", executor="", inputs={"x": 1}))
    with pytest.raises(Conflict, match="'draft'") as refused:
        run_start(user=user, tree_id=tree.pk)
    assert refused.value.code == "draft_tasks"
    _, works = start(user, tree, mode="only", chosen=[task_named(tree, "a").pk])
    assert set(works) == {"a"}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"mode": "sideways"}, "mode"),
        ({"mode": "from"}, "chosen"),
        ({"mode": "only", "chosen": ["nonsense"]}, "chosen"),
        ({"mode": "from", "chosen": [uuid4()]}, "chosen"),
        ({"overrides": {"nonsense": {}}}, "overrides.nonsense"),
        ({"overrides": {str(uuid4()): {}}}, "overrides."),
        ({"overrides": [1]}, "overrides"),
    ],
)
def test_bad_wishes_are_refused_and_named(user, chain, options, field):
    with pytest.raises(Invalid) as refused:
        run_start(user=user, tree_id=chain.pk, **options)
    assert refused.value.field.startswith(field)
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"priority": "high"}, "priority"),
        ({"priority": 4}, "priority"),
        ({"timeout_s": -1}, "timeout_s"),
        ({"inputs": [1]}, "inputs"),
        ({"inputs": {"x": float("nan")}}, "inputs"),
        ({"executor": "noop"}, "executor"),
        ("x", ""),
    ],
)
def test_a_bad_override_is_refused_before_an_engine_could_stumble_over_it(user, chain, change, field):
    task_id = str(task_named(chain, "a").pk)
    with pytest.raises(Invalid) as refused:
        run_start(user=user, tree_id=chain.pk, overrides={task_id: change})
    assert f"overrides.{task_id}" in refused.value.field
    assert field in refused.value.field
    assert not Run.objects.exists()


def test_overrides_hold_for_this_run_alone(user):
    tree = make_tree(group(), task("a", inputs={"x": 1, "y": 2}, priority=3))
    a = task_named(tree, "a")
    _, works = start(user, tree, overrides={str(a.pk): {"inputs": {"x": 5}, "timeout_s": 7, "priority": 0}})
    assert (works["a"].inputs, works["a"].timeout_s) == ({"x": 5, "y": 2}, 7)
    attempt = a.attempts.get()
    assert (attempt.inputs, attempt.provenance["x"]["source"]) == ({"x": 5, "y": 2}, "override")
    a.refresh_from_db()
    assert (a.inputs, a.priority, a.timeout_s) == ({"x": 1, "y": 2}, 3, None)
    _, works = start(user, tree)
    assert works["a"].inputs == {"x": 1, "y": 2}


def test_preview_says_what_would_run_and_changes_nothing(user, chain):
    start(user, chain, "b")
    told = run_preview(user=user, tree_id=chain.pk, mode="failed")
    by_name = {t.name: told[t.pk.hex] for t in Task.objects.filter(tree=chain)}
    assert {name for name, d in by_name.items() if d.runs} == {"b", "c"}
    assert all(d.why for d in by_name.values())
    assert Run.objects.count() == 1


def test_strangers_find_nothing_and_viewers_may_not(user, chain):
    run = run_start(user=user, tree_id=chain.pk)
    stranger = make_user("eve")
    for forbidden in (
        lambda: run_start(user=stranger, tree_id=chain.pk),
        lambda: run_cancel(user=stranger, run_id=run.pk),
        lambda: task_cancel(user=stranger, task_id=task_named(chain, "a").pk),
    ):
        with pytest.raises(NotFound):
            forbidden()
    make_user(role="viewer")
    with pytest.raises(Forbidden):
        run_cancel(user=make_user(role="viewer"), run_id=run.pk)


@pytest.mark.parametrize("reason", ["x" * 501, "a\x00b", "\ud800"])
def test_a_hostile_reason_is_refused(user, chain, reason):
    run = run_start(user=user, tree_id=chain.pk)
    with pytest.raises(Invalid):
        run_cancel(user=user, run_id=run.pk, reason=reason)
    run.refresh_from_db()
    assert run.cancel_requested_at is None


def test_without_a_run_there_is_nothing_to_cancel(user, chain):
    with pytest.raises(AlreadyFinished):
        task_cancel(user=user, task_id=task_named(chain, "a").pk)
