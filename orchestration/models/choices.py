"""Choices and constraint values taken from the domain's enums, so that no state is spelled twice."""

from __future__ import annotations

from enum import StrEnum

from orchestration.domain.states import TERMINAL, Mode, Origin, Status, WorkerKind


def choices_of(enum: type[StrEnum]) -> list[tuple[str, str]]:
    """(value, label) pairs of *enum*, as plain text: migrations must not import the domain."""
    return [(member.value, member.value.replace("_", " ")) for member in enum]


def values_of(enum: type[StrEnum]) -> list[str]:
    """The values of *enum* as plain text."""
    return [member.value for member in enum]


STATUS_CHOICES = choices_of(Status)
STATUS_VALUES = values_of(Status)
TERMINAL_VALUES = sorted(s.value for s in TERMINAL)
RUN_STATUS_VALUES = sorted([Status.IN_PROGRESS.value, *TERMINAL_VALUES])
RUN_STATUS_CHOICES = [(value, label) for value, label in STATUS_CHOICES if value in RUN_STATUS_VALUES]
ORIGIN_CHOICES = choices_of(Origin)
ORIGIN_VALUES = values_of(Origin)
MODE_CHOICES = choices_of(Mode)
MODE_VALUES = values_of(Mode)
WORKER_KIND_CHOICES = choices_of(WorkerKind)
