"""What the tasks of a chain do, in words: alone, and as what another task waits for."""

from __future__ import annotations

from enum import StrEnum

from orchestration.domain.words import gettext, gettext_noop


class Relation(StrEnum):
    """What a task of the chain does; only the first two point to a next one. The values are for programs."""

    WAITS_FOR = "waits for"
    BLOCKED_BY = "blocked by"
    SLOT = "waits for a slot"
    BACK_OFF = "waits for its back-off"
    ENGINE = "waits for the engine"  # nothing holds it back, but no engine has looked yet
    RUNNING = "running"
    STOPPING = "stopping"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOT_IN_RUN = "not in an active run"


_DOES = {
    Relation.SLOT: gettext_noop("%(name)s is ready and waits for a slot"),
    Relation.BACK_OFF: gettext_noop("%(name)s has failed once and waits for its back-off before the next attempt"),
    Relation.ENGINE: gettext_noop("%(name)s could start: no engine has looked at it yet"),
    Relation.RUNNING: gettext_noop("%(name)s is running"),
    Relation.STOPPING: gettext_noop("%(name)s was asked to stop and has not confirmed that yet"),
    Relation.COMPLETED: gettext_noop("%(name)s has completed"),
    Relation.FAILED: gettext_noop("%(name)s failed"),
    Relation.CANCELLED: gettext_noop("%(name)s was cancelled"),
    Relation.NOT_IN_RUN: gettext_noop("%(name)s is not part of an active run"),
    Relation.BLOCKED_BY: gettext_noop("%(name)s was blocked, but what blocked it has changed since"),
}
# the same behind "waits for …,": many languages order the words of such a clause in another way
_WHICH = {
    Relation.SLOT: gettext_noop("which is ready and waits for a slot"),
    Relation.BACK_OFF: gettext_noop("which has failed once and waits for its back-off before the next attempt"),
    Relation.ENGINE: gettext_noop("which could start: no engine has looked at it yet"),
    Relation.RUNNING: gettext_noop("which is running"),
    Relation.STOPPING: gettext_noop("which was asked to stop and has not confirmed that yet"),
    Relation.COMPLETED: gettext_noop("which has completed"),
    Relation.FAILED: gettext_noop("which failed"),
    Relation.CANCELLED: gettext_noop("which was cancelled"),
    Relation.NOT_IN_RUN: gettext_noop("which is not part of an active run"),
    Relation.BLOCKED_BY: gettext_noop("which was blocked, but what blocked it has changed since"),
}


def does(relation: Relation, name: str) -> str:
    """What the last task of a chain does. *name* is quoted, as in all of these."""
    return gettext(_DOES[relation]) % {"name": name}


def which(relation: Relation) -> str:
    """The same as a clause."""
    return gettext(_WHICH[relation])


def waits(relation: Relation, name: str, other: str, *, required: bool) -> str:
    """What a task has to do with the next one of the chain; only a required dependency blocks."""
    if relation == Relation.BLOCKED_BY:
        text = gettext("%(name)s is blocked by %(other)s (required)")
    elif required:
        text = gettext("%(name)s waits for %(other)s (required)")
    else:
        text = gettext("%(name)s waits for %(other)s (optional)")
    return text % {"name": name, "other": other}
