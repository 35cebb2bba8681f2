"""One installation in a folder: its database, and processes that are started, killed, stopped and asked."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from orchestration.soak.nursery import Order

START_S = 300.0
ANSWER_S = 300.0
PAUSE_S = 0.02


class Trouble(Exception):
    """A process did not do what it has to do even under faults."""


@dataclass
class Child:
    """A process of the installation. *code*: how it ended, None while it lives; negative for a signal."""

    name: str
    number: int
    pid: int = 0
    code: int | None = None
    began: float = field(default_factory=time.monotonic)
    age_s: float = 0.0  # that it reached, once it has ended
    output: Path = Path(os.devnull)

    def signal(self, number: signal.Signals) -> None:
        """Send it, if the process still lives."""
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def said(self) -> str:
        """What it has written to its standard output."""
        return self.output.read_text() if self.output.exists() else ""


class Nursery:
    """`with Nursery(root, log) as nursery:` forks children for any number of installations; they end with it."""

    def __init__(self, root: Path, log: Path, environment: Mapping[str, str]) -> None:
        self.told = threading.Condition()
        self._log = log
        self._children: list[Child] = []
        self._ready = False
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "orchestration.soak.nursery"],
                cwd=root, env=dict(environment) | {"APFLOW_APPS": _apps(environment)},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True,
            )  # fmt: skip
        self._reader = threading.Thread(target=self._read, name="nursery", daemon=True)
        self._reader.start()

    def __enter__(self) -> Nursery:
        self.wait(lambda: self._ready, "the nursery", START_S)
        return self

    def __exit__(self, *_exc: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        self._process.stdout.close()

    def fork(self, name: str, output: Path, **what: Any) -> Child:
        """A new child, see `Order`."""
        with self.told:
            child = Child(name, len(self._children) + 1, output=output)
            self._children.append(child)
            assert self._process.stdin is not None
            self._process.stdin.write(Order(child.number, output=str(output), **what).line())
            self._process.stdin.flush()
        self.wait(lambda: child.pid, f"the fork of {name}", START_S)
        return child

    def wait(self, condition: Callable[[], Any], what: str, deadline_s: float = 30.0) -> None:
        """Until *condition()* is true. Raises Trouble after *deadline_s*."""
        end = time.monotonic() + deadline_s
        while not condition():
            if time.monotonic() > end:
                raise Trouble(f"{what} did not happen within {deadline_s:g} s")
            if self._process.poll() is not None:
                raise Trouble(f"the nursery has ended: {self._log.read_text()[-2000:]}")
            with self.told:
                self.told.wait(PAUSE_S)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            with self.told:
                self._ready = self._ready or "ready" in told
                if "pid" in told:
                    self._children[told["number"] - 1].pid = told["pid"]
                for child in reversed(self._children):
                    if child.pid == told.get("ended") and child.code is None:
                        child.age_s = time.monotonic() - child.began
                        child.code = told["code"]
                        break
                self.told.notify_all()


class Installation:
    """`with Installation(folder, nursery, environment) as place:` its processes end with it."""

    def __init__(self, folder: Path, nursery: Nursery, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.effects = folder / "effects"
        self.environment = dict(environment) | {"APFLOW_DATA_DIR": str(folder), "APFLOW_APPS": _apps(environment)}
        self.children: list[Child] = []
        self._nursery = nursery

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        for child in self.children:
            child.signal(signal.SIGCONT)
            child.signal(signal.SIGKILL)
        for child in self.children:
            self.ended(child)

    # -- processes -------------------------------------------------------------------------------------------------

    def start(self, name: str, *argv: str, failpoints: Mapping[str, str] | None = None) -> Child:
        """`manage.py` with *argv* has been forked; nothing is known of how far it is."""
        return self._order(name, argv=list(argv), failpoints=dict(failpoints or {}))

    def run(self, *argv: str) -> str:
        """What `manage.py` with *argv* has written. Raises Trouble unless it ended with 0."""
        child = self.start(argv[0], *argv)
        self.ended(child, ANSWER_S)
        if child.code:
            raise Trouble(f"{argv[0]} ended with {child.code}: {self.log(argv[0])}")
        return child.said()

    def call(self, function: str, *arguments: Any) -> Any:
        """The answer of *function* (module:name), called in a process of its own. Raises Trouble."""
        child = self._order("call", call=function, arguments=list(arguments))
        self.ended(child, ANSWER_S)
        if child.code:
            raise Trouble(f"{function} ended with {child.code}: {self.log('call')}")
        said = child.said()
        try:
            return json.loads(said)
        except json.JSONDecodeError:
            raise Trouble(f"{function} answered {said[-500:]!r}: {self.log('call')}") from None

    def ended(self, child: Child, deadline_s: float = 30.0) -> int:
        """Its exit code; negative: the signal that ended it. Raises Trouble when it lives on."""
        self.wait(lambda: child.code is not None, f"the end of {child.name}", deadline_s)
        assert child.code is not None
        return child.code

    def kill(self, child: Child) -> None:
        """kill -9, and it is gone."""
        child.signal(signal.SIGCONT)
        child.signal(signal.SIGKILL)
        self.ended(child)

    def says(self, child: Child, text: str, deadline_s: float = START_S) -> Child:
        """*child* once it has written *text*. Raises Trouble, also when it ends before."""
        self.wait(lambda: text in child.said() or child.code is not None, f"'{text}' of {child.name}", deadline_s)
        if text not in child.said():
            raise Trouble(f"{child.name} ended with {child.code}: {child.said()[-500:]} {self.log(child.name)}")
        return child

    def log(self, name: str) -> str:
        """The end of what processes of this name have written to their standard error."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def wait(self, condition: Callable[[], Any], what: str, deadline_s: float = 30.0) -> None:
        """Until *condition()* is true. Raises Trouble after *deadline_s*."""
        self._nursery.wait(condition, what, deadline_s)

    def _order(self, name: str, **what: Any) -> Child:
        output = self.folder / f"{name}.{len(self.children) + 1}.out"
        errors = str(self.folder / f"{name}.log")
        child = self._nursery.fork(name, output, errors=errors, environment=self.environment, **what)
        self.children.append(child)
        return child


def _apps(environment: Mapping[str, str]) -> str:
    return ",".join(filter(None, [environment.get("APFLOW_APPS", ""), "orchestration.soak"]))
