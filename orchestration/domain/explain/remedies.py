"""What would release a task that waits or will never run, so that a page can draw the button."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestration.domain.explain.facts import EdgeFact, Fate, TaskFact, fate, quoted
from orchestration.domain.explain.queueing import Queue, Slots
from orchestration.domain.words import gettext

MAX_CAUSES = 5  # causes for which a remedy is offered


class RemedyKind(StrEnum):
    RERUN = "rerun"  # re-execute `task_id` and everything downstream (mode "from"), once no run is active
    MAKE_OPTIONAL = "make_optional"  # the dependency of `task_id` on `depends_on`
    CANCEL = "cancel"  # the task that holds the slot
    RUN = "run"  # start a run that has `task_id` in its scope
    START_ENGINE = "start_engine"  # nobody is there to run anything


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing to do. Whether the person may do it is for the door to decide."""

    kind: RemedyKind
    task_id: str
    label: str
    depends_on: str | None = None


def remedies_for_block(
    path: Sequence[str], causes: Sequence[TaskFact], held: Mapping[str, Sequence[EdgeFact]]
) -> tuple[Remedy, ...]:
    """For a task that will never run: re-execute the causes, or make the first blocking dependency optional."""
    found = [_rerun(cause) for cause in causes[:MAX_CAUSES]]
    by_id = {cause.id: cause for cause in causes}
    last = next((e for e in held[path[-2]] if e.depends_on == path[-1]), None) if len(path) > 1 else None
    if last is not None:
        label = gettext("Make the dependency on %(name)s optional") % {"name": quoted(by_id[last.depends_on].name)}
        found.append(Remedy(RemedyKind.MAKE_OPTIONAL, last.task, label, last.depends_on))
    return tuple(found)


def remedies_for_root(cause: TaskFact, queue: Queue | None, slots: Slots) -> tuple[Remedy, ...]:
    """For a task that waits because of *cause*."""
    if fate(cause) == Fate.IDLE:
        return (Remedy(RemedyKind.RUN, cause.id, gettext("Run %(name)s") % {"name": quoted(cause.name)}),)
    if fate(cause) != Fate.OPEN:
        return ()
    if not slots.process + slots.asynchronous:
        return (Remedy(RemedyKind.START_ENGINE, cause.id, gettext("Start an engine")),)
    if queue is None or queue.used < queue.total:
        return ()
    hog = next((holder for holder in queue.holders if holder.task is not None), None)
    if hog is None or hog.task is None:
        return ()
    label = gettext("Cancel %(name)s, which has held a slot longest") % {"name": quoted(hog.name)}
    return (Remedy(RemedyKind.CANCEL, hog.task, label),)


def _rerun(cause: TaskFact) -> Remedy:
    label = gettext("Re-execute %(name)s and what follows it") % {"name": quoted(cause.name)}
    return Remedy(RemedyKind.RERUN, cause.id, label)
