"""A running engine remembers rights only for as long as nobody has written anything."""

from __future__ import annotations

import pytest

from orchestration.services.runs import run_start
from tests.engine.support import EngineThread, Unstoppable, ended, registered, status_of, until
from tests.factories import make_tree, make_user, task, task_named

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("how", ["deactivated", "demoted"])
def test_what_is_taken_away_between_two_steps_is_gone(tmp_path, how):
    Unstoppable.gate.clear()
    ann = make_user("ann")
    chain = [task(f"t{n}", after=[f"t{n - 1}"] if n else []) for n in range(5)]
    gated = task("gate", executor="e_unstoppable", after=["t4"])
    with registered(Unstoppable), EngineThread(tmp_path):
        tree = make_tree(task("root", executor=""), *chain, gated, task("after", after=["gate"]), owner=ann)
        run = run_start(user=ann, tree_id=tree.pk)
        until(lambda: status_of(tree, "gate") == "in_progress")
        if how == "deactivated":
            ann.is_active = False
            ann.save()
        else:
            ann.groups.clear()
        Unstoppable.gate.set()
        assert ended(run).status == "failed"
    after = task_named(tree, "after")
    assert (after.status, after.attempts.get().error_code) == ("failed", "executor_forbidden")
    assert task_named(tree, "gate").status == "completed"
