"""One embedded engine per data directory: a file lock that the kernel releases when its holder dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class EngineHeld(Exception):
    """Another engine works on this data directory already."""


class EngineLock:
    """Held from `acquire` to `release`, or until the process ends in whatever way."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "engine.lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises EngineHeld naming the process that has it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        os.set_inheritable(descriptor, False)  # a child that lives on must not hold the lock for us
        try:
            _lock(descriptor)
        except OSError:
            holder = os.pread(descriptor, 64, 0).decode(errors="replace").strip() or "an unknown process"
            os.close(descriptor)
            raise EngineHeld(f"an engine is running on {self.path.parent} already: {holder}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; does nothing when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
