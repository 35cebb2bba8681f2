"""Threads that use the API like impatient people: whatever gets no answer is sent again with the same key."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from typing import Any

import httpx

from orchestration.soak.processes import Installation, Trouble
from orchestration.soak.trees import random_plan

PATIENCE_S = 900.0  # for one answer, however often something is killed meanwhile
END_S = 900.0  # for a run to end
AGAIN_S = 0.05
TIMEOUT = httpx.Timeout(15.0, connect=2.0)
BACKLOG = 12  # runs that have not ended: so many are there after each feeding
FEED_S = 0.5  # between two; each is a process of its own
CANCELLING = 0.15  # part of the runs that somebody cancels
RETRYING = 0.15  # part of the ended runs that are executed again
WATCHED = 0.5  # part of the runs whose end is waited for


class Feeder(threading.Thread):
    """Sees to it that the engine never runs out of work, whatever happens to the web processes, until `stop` is set."""

    def __init__(self, place: Installation, seed: str) -> None:
        super().__init__(name="feeder", daemon=True)
        self.names: list[str] = []
        self.accepted: dict[int, list[str]] = {}
        self.odd: list[str] = []
        self.asked = self.repeated = 0
        self.stop = threading.Event()
        self.hopeless = threading.Event()  # no use in waiting for answers
        self._place = place
        self._seed = seed

    def run(self) -> None:
        try:
            turn = 0
            while not self.stop.wait(FEED_S):
                turn += 1
                started = self._feed(f"{self._seed} {turn}")
                self.names += [name for name, _, _ in started]
                self.accepted |= {run: [ends] for _, run, ends in started}
        except Exception as error:  # noqa: BLE001  the report's first line
            self.odd.append(f"{self.name}: {type(error).__name__}: {error}")

    def _feed(self, seed: str) -> list[tuple[str, int, str]]:
        end = time.monotonic() + PATIENCE_S
        while True:
            self.asked += 1
            try:
                started: list[tuple[str, int, str]] = self._place.call(
                    "orchestration.soak.inside:feed", seed, str(self._place.effects), BACKLOG
                )
                return started
            except Trouble:  # the database was locked or cut off: what was made meanwhile is told the next time
                if self.hopeless.is_set() or time.monotonic() > end:
                    raise
                self.repeated += 1


class Person(threading.Thread):
    """Makes trees, runs and cancels them until `stop` is set.

    *ports*: of the web processes; *rest_s*: how long a tree is enough for; *watched*: part of the runs it waits for.
    """

    def __init__(
        self,
        name: str,
        ports: Sequence[int],
        token: str,
        effects: str,
        seed: str,
        *,
        rest_s: float = 0.0,
        watched: float = WATCHED,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.names: list[str] = []  # of the trees that were accepted
        self.accepted: dict[int, list[str]] = {}  # run -> how it may end
        self.odd: list[str] = []  # answers that nobody expects
        self.asked = self.repeated = 0
        self.stop = threading.Event()
        self.hopeless = threading.Event()  # no use in waiting for answers
        self._ports = list(ports)
        self._effects = effects
        self._rest_s = rest_s
        self._watched = watched
        self._dice = random.Random(f"{seed} {name}")  # noqa: S311  (repeatable on purpose)
        self._client = httpx.Client(timeout=TIMEOUT, trust_env=False, headers={"Authorization": f"Bearer {token}"})

    def run(self) -> None:
        try:
            number = 0
            while not self.stop.wait(self._rest_s if number else 0.0):
                number += 1
                self._tree(f"{self.name}-{number}")
        except Exception as error:  # noqa: BLE001  whatever it is, it is the report's first line
            self.odd.append(f"{self.name}: {type(error).__name__}: {error}")
        finally:
            self._client.close()

    def _tree(self, name: str) -> None:
        plan = random_plan(self._dice, name, self._effects)
        tree = self._post("/api/v1/trees/", {"tasks": plan.tasks}, f"{name}-tree", (201, 202))["id"]
        self.names.append(name)
        run = self._post(f"/api/v1/trees/{tree}/runs/", {"mode": "all"}, f"{name}-run", (201, 202))["id"]
        self.accepted[run] = [plan.ends]
        if self._dice.random() < CANCELLING:
            time.sleep(self._dice.random() * 0.3)
            self._cancel(run, f"{name}-cancel")
        if self._dice.random() < self._watched:
            ended = self._wait(run)
            if self._dice.random() < RETRYING and ended:
                answer = self._post(f"/api/v1/runs/{run}/retry/", {"mode": "all"}, f"{name}-retry", (201, 202))
                self.accepted[answer["id"]] = [plan.ends]

    def _cancel(self, run: int, key: str) -> None:
        answer = self._post(f"/api/v1/runs/{run}/cancel/", {"reason": "chance"}, key, (200, 202, 409))
        if "error" not in answer:
            self.accepted[run] = ["cancelled"]

    def _wait(self, run: int) -> bool:
        """Whether the run has ended; False when it is time to stop."""
        end = time.monotonic() + END_S
        while self._ask("GET", f"/api/v1/runs/{run}/?fields=status", None, {}, (200,))["status"] == "in_progress":
            if time.monotonic() > end:
                raise Trouble(f"run {run} has not ended within {END_S:g} s")
            if self.stop.wait(0.1):
                return False
        return True

    def _post(self, path: str, body: dict[str, Any], key: str, good: Sequence[int]) -> dict[str, Any]:
        return self._ask("POST", path, body, {"Idempotency-Key": key}, good)

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str], good: Sequence[int]
    ) -> dict[str, Any]:
        """The answer. Raises Trouble for one that is neither *good* nor a request to try again."""
        self.asked += 1
        end = time.monotonic() + PATIENCE_S
        last = "nothing"
        while time.monotonic() < end and not self.hopeless.is_set():
            port = self._dice.choice(self._ports)
            try:
                answer = self._client.request(method, f"http://127.0.0.1:{port}{path}", json=body, headers=headers)
            except httpx.TransportError as error:
                last = type(error).__name__
            else:
                if answer.status_code in good:
                    found: dict[str, Any] = answer.json()
                    return found
                last = f"{answer.status_code} {answer.text[:300]}"
                if answer.status_code not in (429, 503):
                    raise Trouble(f"{method} {path}: {last}")
            self.repeated += 1
            time.sleep(AGAIN_S)
        raise Trouble(f"{method} {path} got no answer within {PATIENCE_S:g} s: {last}")
