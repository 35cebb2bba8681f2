"""Thousands of tasks in every shape: stored and run to the end, without recursion."""

from __future__ import annotations

import pytest

from orchestration.models import Event
from orchestration.services.runs import run_start
from tests.engine.support import EngineThread, until
from tests.factories import make_tree, make_user, task
from tests.settings import POSTGRES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SIZE = 2_000 if POSTGRES else 10_000  # the engine is the same on both; a chain takes a round trip more per step there
PATIENCE_S = 120  # without any event: on a busy machine the whole may take minutes


def chain(executor, size):
    return [
        task("t0", executor=executor),
        *(task(f"t{n}", after=[f"t{n - 1}"], executor=executor) for n in range(1, size)),
    ]


SHAPES = {
    "chain of groups": lambda: chain("", SIZE),
    "chain": lambda: chain("noop", SIZE),
    "fan-out": lambda: [task("t0"), *(task(f"t{n}", after=["t0"]) for n in range(1, SIZE))],
    "fan-in": lambda: [task("t0", after=[f"t{n}" for n in range(1, SIZE)]), *(task(f"t{n}") for n in range(1, SIZE))],
    "deep parents": lambda: [task("t0"), *(task(f"t{n}", parent=f"t{n - 1}") for n in range(1, 1_000))],
}


def moved(run):
    run.refresh_from_db()
    return run.seq


@pytest.mark.fault
@pytest.mark.parametrize("shape", SHAPES)
def test_it_completes(tmp_path, shape):
    tasks = SHAPES[shape]()
    tree = make_tree(*tasks)
    run = run_start(user=make_user(), tree_id=tree.pk)
    with EngineThread(tmp_path):
        while run.is_active:
            until(lambda seq=run.seq: moved(run) > seq, "a step of the run", PATIENCE_S)
    assert (run.status, run.completed) == ("completed", len(tasks))
    seqs = Event.objects.filter(run=run).order_by("seq").values_list("seq", flat=True)
    assert list(seqs) == list(range(1, run.seq + 1))
