"""What goes wrong, by chance: processes die, freeze and restart, connections break, tables stay locked."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import psycopg

from orchestration.soak.processes import Child, Installation, Trouble

KILLS = ("kill",)
ALL = ("kill", "kill_child", "freeze", "restart", "lock", "cut")
EARLY = 0.2  # part of the kills that come before the process has said that it is ready
EARLY_S, LIFE_S = 0.6, 0.8  # of a process that is to be killed: from its fork, or from being ready, at most
BUSY_S = 2.5  # the same of one that has to find its work first
READY = ("Serving", "Worker", "Engine started")
FREEZE_S = 4.0
LOCK_S = 2.0
REST_S = 3.0  # between two faults that are no kills
RESTART_S = 60.0
STARTING_S = 60.0
LAST, NO_DATABASE = 2000, ("OperationalError", "AdminShutdown", "InterfaceError")  # how a log ends then
CUT = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()"""


class Post:
    """A place that always has a process again: *argv* of manage.py."""

    def __init__(self, place: Installation, name: str, *argv: str) -> None:
        self.name = name
        self._place = place
        self._argv = argv
        self.child: Child
        self.start()

    def start(self) -> None:
        """Fork a new one."""
        self.child = self._place.start(self.name, *self._argv)

    @property
    def ready(self) -> bool:
        """Whether the newest process has said that it works, or has ended."""
        return self.child.code is not None or any(word in self.child.said() for word in READY)

    def ensure(self) -> None:
        """There is one. Whoever cannot reach the database while he starts ends with 1, and his supervisor starts him
        again. Raises Trouble when a process has ended by itself for another reason, or later."""
        if self.child.code is None:
            return
        if not self._could_not_start():
            raise Trouble(f"{self.name} ended by itself with {self.child.code}: {self._place.log(self.name)}")
        self.start()

    def _could_not_start(self) -> bool:
        last = self._place.log(self.name)[-LAST:]
        return self.child.code == 1 and self.child.age_s < STARTING_S and any(word in last for word in NO_DATABASE)

    def kill(self) -> None:
        """kill -9, then a new one. Raises Trouble as `ensure` does."""
        self.ensure()
        self._place.kill(self.child)
        self.start()

    def restart(self) -> None:
        """SIGTERM, a good end, a new one. Raises Trouble when it does not end with 0."""
        self.ensure()
        self.child.signal(signal.SIGTERM)
        code = self._place.ended(self.child, RESTART_S)
        if code not in (0, -signal.SIGTERM) and not self._could_not_start():  # the signal: before it could listen
            raise Trouble(f"{self.name} stopped with {code}: {self._place.log(self.name)}")
        self.start()


class Nemesis(threading.Thread):
    """Does faults to one of the *posts* until `stop` is set or *kills* were done (0: no limit)."""

    def __init__(
        self,
        post: Post,
        dice: random.Random,
        tally: Counter[str],
        *,
        faults: Sequence[str],
        database: str,
        take: Callable[[], bool],
    ) -> None:
        super().__init__(name=f"nemesis {post.name}", daemon=True)
        self.post = post
        self.stop = threading.Event()
        self.trouble = ""
        self._dice = dice
        self._tally = tally
        self._faults = list(faults)
        self._database = database  # DATABASE_URL, or the path of the SQLite file
        self._take = take  # one more kill, or no more

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                fault = self._dice.choice(self._faults)
                if not self._rest(hurried=len(self._faults) == 1):
                    return
                if fault == "kill" and not self._take():
                    return
                if getattr(self, f"_{fault}")():
                    self._tally[f"{fault} {self.post.name.rstrip('0123456789')}"] += 1
        except Exception as error:  # noqa: BLE001  the report's first line
            self.trouble = f"{type(error).__name__}: {error}"

    def _rest(self, *, hurried: bool) -> bool:
        """Leave the process alone for a while. False: it is time to stop."""
        pause = REST_S
        if hurried and self._dice.random() < EARLY:
            pause = EARLY_S
        elif hurried:
            pause = BUSY_S if self.post.name.startswith(("engine", "worker")) else LIFE_S
            while not self.post.ready and not self.stop.wait(0.02):
                continue
        return not self.stop.wait(self._dice.random() * pause)

    def _kill(self) -> bool:
        self.post.kill()
        return True

    def _kill_child(self) -> bool:
        """A process of an attempt, or what supervises it; not what forks them, which is no executor's to kill."""
        with contextlib.suppress(psutil.Error):
            family = psutil.Process(self.post.child.pid).children(recursive=True)[1:]
            if family:
                self._dice.choice(family).kill()
                return True
        return False

    def _freeze(self) -> bool:
        self.post.child.signal(signal.SIGSTOP)
        self.stop.wait(self._dice.random() * FREEZE_S)
        self.post.child.signal(signal.SIGCONT)
        return True

    def _restart(self) -> bool:
        self.post.restart()
        return True

    def _lock(self) -> bool:
        """Nobody can write for a while."""
        hold_s = self._dice.random() * LOCK_S
        if self._database.startswith("postgres"):
            # another one may cut this connection, too
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self._database) as held:
                held.execute("LOCK TABLE orchestration_run, orchestration_task IN EXCLUSIVE MODE")
                time.sleep(hold_s)
            return True
        with contextlib.closing(sqlite3.connect(Path(self._database), timeout=20, isolation_level=None)) as file:
            file.execute("BEGIN IMMEDIATE")
            time.sleep(hold_s)
            file.execute("ROLLBACK")
        return True

    def _cut(self) -> bool:
        """Every connection to the database breaks at once."""
        if not self._database.startswith("postgres"):
            return False
        with psycopg.connect(self._database, autocommit=True) as own:
            own.execute(CUT)
        return True
