"""A thread that hears the notices of other processes (PostgreSQL's NOTIFY) and wakes somebody here."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from django.db import DatabaseError, InterfaceError, connection

logger = logging.getLogger("apflow.engine")

TURN_S = 0.5  # how soon the thread notices that it is to end
AGAIN_S = 1.0  # pause after the connection broke: those who wait for a notice look for themselves meanwhile


class Listener(threading.Thread):
    """`start` it, and *wake* is called, in this thread, whenever a notice came on one of the *channels*."""

    def __init__(self, channels: Sequence[str], wake: Callable[[], None]) -> None:
        super().__init__(name="apflow-listener", daemon=True)
        self._channels = channels
        self._wake = wake
        self._ended = threading.Event()

    def end(self) -> None:
        """Hear nothing more. Waits for the thread to end, if it does soon."""
        self._ended.set()
        self.join(2 * TURN_S)

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                self._listen()
            except (DatabaseError, InterfaceError) as error:
                logger.warning("cannot listen to the database: %s", type(error).__name__)
                self._ended.wait(AGAIN_S)
            except Exception:
                logger.exception("the listener broke")
                self._ended.wait(AGAIN_S)

    def _listen(self) -> None:
        """Over a connection of its own: one of a pool must not come back to it listening."""
        own = connection.copy()
        own.settings_dict["OPTIONS"] = {k: v for k, v in own.settings_dict["OPTIONS"].items() if k != "pool"}
        try:
            with own.cursor() as cursor:
                for channel in self._channels:
                    cursor.execute(f"LISTEN {own.ops.quote_name(channel)}")  # a name of ours
            self._wake()  # for what came before
            while not self._ended.is_set():
                for _notice in own.connection.notifies(timeout=TURN_S, stop_after=1):
                    self._wake()
        finally:
            own.close()
