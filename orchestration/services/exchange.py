"""What a step of the engine exchanges with other processes, inside its own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from orchestration.domain.work import Outcome, Work


class Exchange(Protocol):
    """All methods may be called again for the same things: the transaction before may have been rolled back."""

    clock_ahead: timedelta  # of the database's clock before ours: leases are measured by the former

    def collect(self, *, sweep: bool) -> list[Outcome]:
        """What other processes have reported, and with *sweep* what has been lost with them."""

    def compare_clocks(self) -> None:
        """Find out `clock_ahead` anew."""

    def dispatch(self, works: Sequence[Work]) -> None:
        """Hand out what this transaction starts."""
