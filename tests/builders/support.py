"""Trees that have been run, and ways to look at what was made from them."""

from __future__ import annotations

import json

from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import Ending, Outcome
from orchestration.models import Attempt, Dependency, Run, Task, TreeShare
from orchestration.services.runs import run_start
from orchestration.services.transitions import Transitions
from tests.factories import make_tree, task

STATE = (
    "id", "tree_id", "parent_id", "position", "depth", "name", "inputs", "params", "priority", "version", "origin_type",
    "original_id", "linked_attempt_id", "run_id", "status", "attempt", "progress", "error", "started_at",
    "completed_at", "updated_at",
)  # fmt: skip


def run_tree(tree, *, fail=(), user=None, **fields):
    """Run the tree to its end: each task gives {"of": name, ...}, those in *fail* break."""
    run = run_start(user=user or tree.owner, tree_id=tree.pk, **fields)
    engine = Transitions("test", lease_s=60, recovery_limit=1)
    works = engine.apply([], Slots(999, 999)).works
    while works:
        works = engine.apply([_outcome(work, fail) for work in works], Slots(999, 999)).works
    run.refresh_from_db()
    assert not run.is_active
    return run


def _outcome(work, fail):
    if work.name in fail:
        return Outcome(
            work.run_id, work.task_id, work.attempt, Ending.FAILED, error="broke", log="tried", retryable=False
        )
    result = json.dumps({"of": work.name, "attempt": work.attempt, "inputs": work.inputs})
    return Outcome(work.run_id, work.task_id, work.attempt, Ending.COMPLETED, result=result, log="done")


def make_source(**fields):
    """r(c1, c2 <- c1, c3 <- c2, g(c4 <- c3)): three levels, one group."""
    return make_tree(
        task("r", executor=""),
        task("c1", inputs={"x": 1}, params={"p": 1}, priority=0, timeout_s=5.0, max_attempts=2),
        task("c2", after=["c1"]),
        task("c3", after=["c2"], optional=["c1"]),
        task("g", executor=""),
        task("c4", parent="g", after=["c3"], backoff={"strategy": "fixed"}, schemas={"method": "noop"}),
        **fields,
    )


def make_chain(size):
    """0(1, 2 <- 1, 3 <- 2, ...)."""
    return make_tree(*(task(str(i), after=[str(i - 1)] if i > 1 else []) for i in range(size)))


def state_of(tree):
    """Everything about the tree's tasks that making something from them must not change."""
    return list(Task.objects.filter(tree=tree).order_by("position").values(*STATE))


def outline(tree):
    """The tree as text: r(c1, c2 <- c1)."""
    tasks = list(Task.objects.filter(tree=tree).order_by("position"))
    names = {t.pk: t.name for t in tasks}
    edges = {}
    for edge in Dependency.objects.filter(task__tree=tree).order_by("position"):
        edges.setdefault(edge.task_id, []).append(names[edge.depends_on_id] + ("" if edge.required else "?"))

    def text(item):
        waits = f" <- {' '.join(edges[item.pk])}" if item.pk in edges else ""
        below = ", ".join(text(t) for t in tasks if t.parent_id == item.pk)
        return item.name + waits + (f"({below})" if below else "")

    assert [t.position for t in tasks] == list(range(len(tasks)))
    assert tree.task_count == len(tasks)
    return text(tasks[0])


def result_of(item):
    """The result that a task shows."""
    if item.linked_attempt_id:
        return item.linked_attempt.result
    return Attempt.objects.get(task=item, number=item.attempt).result


def statuses(tree):
    return {t.name: t.status for t in Task.objects.filter(tree=tree)}


def share(tree, user):
    return TreeShare.objects.create(tree=tree, user=user, right=TreeShare.VIEW)


def count_rows():
    return (Run.objects.count(), Attempt.objects.count(), Task.objects.count(), Dependency.objects.count())


def same_as_preview(shown, tree):
    """The preview lists exactly what was stored."""
    tasks = Task.objects.filter(tree=tree).order_by("position")
    roles = {"copy": "copy", "link": "link", "archive": "archived"}
    assert [(t.name, t.role, t.depth) for t in shown.tasks] == [(t.name, roles[t.origin_type], t.depth) for t in tasks]
    assert shown.counts["tasks"] == tree.task_count
    assert shown.counts["dependencies"] == Dependency.objects.filter(task__tree=tree).count()
    return True


def root_of(tree):
    return Task.objects.get(tree=tree, parent=None)
