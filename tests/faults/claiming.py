"""Called inside a process: a commit of the engine whose answer got lost, and that comes true late."""

from __future__ import annotations

from orchestration.domain.ready_queue import Slots
from orchestration.services.transitions import Transitions


def claimed_as(engine: str) -> int:
    """Start what is ready in the name of *engine*, which hears nothing of it. How much that was."""
    transitions = Transitions(engine, lease_s=30, recovery_limit=20)
    return len(transitions.apply([], Slots(process=1, asynchronous=1)).works)
