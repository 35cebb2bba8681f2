"""How the engine of this process is, for its probes. Nothing where none works."""

from __future__ import annotations

from typing import Protocol


class Degradable(Protocol):
    """What can be in trouble."""

    @property
    def waits_for_database(self) -> bool: ...


_working: list[Degradable] = []


def works(engine: Degradable) -> None:
    """*engine* works in this process from now on."""
    _working.append(engine)


def ended(engine: Degradable) -> None:
    """*engine* has stopped."""
    if engine in _working:
        _working.remove(engine)


def degraded() -> bool:
    """Whether the engine of this process cannot write at the moment; not when there is none."""
    return any(engine.waits_for_database for engine in _working)
