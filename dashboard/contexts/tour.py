"""Two minutes for a newcomer, told with the sample trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from orchestration.builders.samples import LABEL
from orchestration.models import Run, Tree
from orchestration.selectors.access import runs_for_read, trees_for_read

REPORT, RESCUE, MANY = "Server health report", "Ship an order", "Index the archive"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the tour: look at a run of a sample tree, or start one."""

    word: str
    text: str
    tree_id: int
    tree_name: str
    run_url: str  # of the newest run; "" = has not run


def tour_steps(user: Any) -> tuple[Step, ...]:
    """The steps for which *user* sees the sample trees; none without samples. Two queries."""
    named = trees_for_read(user).filter(name__in=[REPORT, RESCUE, MANY], labels__icontains=f'"{LABEL}"')
    trees = {tree.name: tree for tree in named.order_by("-pk")}
    runs = runs_for_read(user).filter(tree__in=[tree.pk for tree in trees.values()]).order_by("pk")
    newest = {run.tree_id: run for run in runs.only("id", "tree_id")}
    told = (
        (REPORT, _("Run and watch"), _("Three readings in parallel, then a report. Every task shows its state live.")),
        (RESCUE, _("See a failure handled"), _("A task fails, an optional dependency lets the next one take over.")),
        (MANY, _("Cancel with a reason"), _("A thousand tasks: cancel while it runs, then re-run only the rest.")),
    )
    return tuple(_step(trees[name], newest, word, text) for name, word, text in told if name in trees)


def _step(tree: Tree, newest: dict[int, Run], word: str, text: str) -> Step:
    run = newest.get(tree.pk)
    return Step(word, text, tree.pk, tree.name, run.get_absolute_url() if run else "")
