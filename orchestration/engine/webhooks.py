"""The pump: a thread beside the engine that turns events into deliveries and sends those that are due.

It only reads what the engine has committed: a slow receiver, or this thread's end, never holds up a task.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial

from django.db import DatabaseError, connection

from orchestration.away import is_away
from orchestration.engine.webhook_post import post
from orchestration.publishing import publisher
from orchestration.services.webhook_feed import Feed
from orchestration.services.webhook_sending import Answer, Sending, due, record

logger = logging.getLogger("apflow.webhooks")

SENDERS = 8  # deliveries on their way at a time
PER_WEBHOOK = 4  # of them to one webhook: a receiver that hangs does not hold up the others
POLL_S = 1.0  # how soon an event is noticed that nobody poked for
INTERVAL_S = 0.5  # at most so often events are looked for, however often somebody pokes
LAST_S = 5.0  # at the end: for what is on its way
ERROR_S = 5.0  # pause after a failure of the database


class WebhookPump(threading.Thread):
    """Start it beside an engine; `finish` tells and sends what is left and ends it."""

    def __init__(self) -> None:
        super().__init__(name="apflow-webhooks", daemon=True)
        self._feed = Feed()
        self._condition = threading.Condition()
        self._poked = True
        self._ending = False
        self._read_at = 0.0  # when events were looked for
        self._done: list[tuple[Sending, Answer]] = []
        self._busy: Counter[int] = Counter()  # webhook -> deliveries on their way
        self._flying: set[Future[Answer]] = set()
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="apflow-webhook")

    def start(self) -> None:
        publisher.listen(self.poke)
        super().start()

    def poke(self) -> None:
        """There may be news."""
        with self._condition:
            self._poked = True
            self._condition.notify()

    def finish(self) -> None:
        """Tell and try once what is due, wait a few seconds for answers, end. What is left is sent after the next
        start."""
        publisher.forget(self.poke)
        with self._condition:
            self._ending = True
            self._condition.notify()
        self.join()

    def run(self) -> None:
        try:
            while not self._ending:
                self._wait(0.0 if self._turn() else ERROR_S)
            self._read_at = 0.0
            if self._turn():
                self._last_answers()
        finally:
            self._senders.shutdown(wait=False, cancel_futures=True)
            connection.close()

    def _wait(self, at_least_s: float) -> None:
        """Until an answer has come, somebody poked, or it is time to look; at once when told to end."""
        with self._condition:
            self._condition.wait_for(lambda: self._ending, at_least_s)
            left = self._read_at + INTERVAL_S - time.monotonic()
            if left > 0:
                self._condition.wait_for(lambda: self._ending or self._done, left)
            if not (self._ending or self._done):
                self._condition.wait_for(lambda: self._ending or self._done or self._poked, POLL_S - INTERVAL_S)

    def _turn(self) -> bool:
        """Whether it went well."""
        try:
            self._settle()
            if time.monotonic() >= self._read_at + INTERVAL_S:
                self._poked, self._read_at = False, time.monotonic()
                self._feed.make_deliveries()
            self._send()
        except Exception as error:
            if is_away(error):
                logger.warning("webhooks wait for the database: %s", error)
            else:
                logger.exception("webhooks could not be worked on")
            connection.close()
        else:
            return True
        return False

    def _last_answers(self) -> None:
        wait(set(self._flying), timeout=LAST_S)
        try:
            self._settle()
        except DatabaseError:
            logger.exception("what came of the last deliveries is not known")

    def _settle(self) -> None:
        """Write down what came of deliveries."""
        while self._done:
            sending, answer = self._done[0]
            try:
                record(sending, answer)
            except Exception as error:
                if is_away(error):
                    raise  # it stays the first of the queue; the row is claimed, so nobody else sends it meanwhile
                logger.exception("what came of delivery %s cannot be stored", sending.delivery_id)
            with self._condition:
                del self._done[0]

    def _send(self) -> None:
        """Send what is due, as far as there are free senders."""
        free = SENDERS - len(self._flying)
        while free > 0:
            busy = [webhook_id for webhook_id, count in self._busy.items() if count >= PER_WEBHOOK]
            found = due(min(free, PER_WEBHOOK), busy=busy)
            if not found:
                return
            for sending in found:
                self._submit(sending)
            free = SENDERS - len(self._flying)

    def _submit(self, sending: Sending) -> None:
        with self._condition:
            self._busy[sending.webhook_id] += 1
        future = self._senders.submit(post, sending)
        self._flying.add(future)
        future.add_done_callback(partial(self._landed, sending))

    def _landed(self, sending: Sending, future: Future[Answer]) -> None:
        """In the sender's thread."""
        with self._condition:
            self._flying.discard(future)
            self._busy[sending.webhook_id] -= 1
            if not self._busy[sending.webhook_id]:
                del self._busy[sending.webhook_id]
            if not future.cancelled():
                error = future.exception()
                answer = Answer(error=f"not sent: {error}") if error else future.result()
                self._done.append((sending, answer))
            self._condition.notify()
