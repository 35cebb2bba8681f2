"""What happened in a run, in one or two plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.domain.states import Status

MAX_NAMED = 3  # failures named in a sentence
MAX_ERROR = 70  # characters of an error quoted in a sentence


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that failed by itself."""

    name: str
    error: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Everything the story is told from."""

    status: str
    total: int
    running: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    blocked: int = 0
    elapsed_s: float = 0.0
    failures: Sequence[Failure] = ()
    cancelling: bool = False
    cancelled_by: str = ""
    reason: str = ""

    @property
    def pending(self) -> int:
        """Tasks that may still start."""
        return max(0, self.total - self.running - self.completed - self.failed - self.cancelled - self.blocked)


def duration_words(seconds: float) -> str:
    """*seconds* as people say it: 0.4 s, 12 s, 3 m 12 s, 2 h 05 m, 3 d 4 h."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} m"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def plural(count: int, noun: str) -> str:
    """*count* with *noun* in the right number: 1 task, 4 tasks."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def run_story(facts: RunFacts) -> str:
    """The run in words: "Failed after 3 m 12 s: 'load' failed (timed out). 4 tasks did not run because of it." """
    if facts.status == Status.IN_PROGRESS:
        return _active(facts)
    took = duration_words(facts.elapsed_s)
    if facts.status == Status.COMPLETED:
        return _completed(facts, took)
    if facts.status == Status.CANCELLED:
        return _cancelled(facts, took)
    return _failed(facts, took)


def _active(facts: RunFacts) -> str:
    if facts.cancelling:
        return f"Stopping {plural(facts.running, 'running task')}; nothing new starts."
    done = f"{facts.completed:,} of {facts.total:,} done"
    parts = [f"{facts.running:,} running"] if facts.running else []
    if facts.pending:
        parts.append(f"{facts.pending:,} waiting")
    head = f"Running: {', '.join([done, *parts])}."
    if not facts.failed:
        return head
    return f"{head} {_named(facts)} {_not_run(facts, 'will not run')}".rstrip()


def _completed(facts: RunFacts, took: str) -> str:
    if facts.failed:
        return (
            f"Completed after {took}: {facts.completed:,} of {facts.total:,} tasks done, "
            f"{plural(facts.failed, 'failure')} tolerated because only optional dependents waited for it."
        )
    return f"Completed in {took}: {'the only task' if facts.total == 1 else f'all {facts.total:,} tasks'} done."


def _cancelled(facts: RunFacts, took: str) -> str:
    who = f" by {facts.cancelled_by}" if facts.cancelled_by else ""
    why = f" ({_short(facts.reason)})" if facts.reason else ""
    done = f"{facts.completed:,} of {facts.total:,} tasks were done"
    return f"Cancelled{who} after {took}{why}: {done}, {plural(facts.cancelled, 'task')} cancelled."


def _failed(facts: RunFacts, took: str) -> str:
    only_cancelled = facts.cancelled and not facts.failed
    named = f"{plural(facts.cancelled, 'task')} cancelled." if only_cancelled else _named(facts)
    return f"Failed after {took}: {named} {_not_run(facts, 'did not run')}".rstrip()


def _named(facts: RunFacts) -> str:
    named = [_failure(f) for f in facts.failures[:MAX_NAMED]]
    if not named:
        return f"{plural(facts.failed, 'task')} failed."
    more = facts.failed - len(named)
    return f"{'; '.join(named)}{f'; and {more:,} more failed' if more > 0 else ''}."


def _failure(failure: Failure) -> str:
    why = "timed out" if failure.code == "timeout" else _short(failure.error)
    return f"“{failure.name}” failed{f' ({why})' if why else ''}"


def _not_run(facts: RunFacts, verb: str) -> str:
    if not facts.blocked:
        return ""
    return f"{plural(facts.blocked, 'task')} {verb} because of {'it' if facts.failed == 1 else 'that'}."


def _short(text: str) -> str:
    line = text.strip().splitlines()[0].rstrip(".") if text.strip() else ""
    return line if len(line) <= MAX_ERROR else f"{line[: MAX_ERROR - 1]}…"
