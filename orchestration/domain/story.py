"""What happened in a run, in one or two plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.domain.states import Status
from orchestration.domain.words import gettext, ngettext

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
    failures: Sequence[Failure] = ()  # the first that nobody has taken care of
    ignored: int = 0  # of the failed: only optional dependents waited for them
    cancelling: bool = False
    cancelled_by: str = ""
    reason: str = ""

    @property
    def pending(self) -> int:
        """Tasks that may still start."""
        return max(0, self.total - self.running - self.completed - self.failed - self.cancelled - self.blocked)

    @property
    def serious(self) -> int:
        """Failures that are not ignored."""
        return max(0, self.failed - self.ignored)


def duration_words(seconds: float) -> str:
    """*seconds* as people say it: 0.4 s, 12 s, 3 m 12 s, 2 h 05 m, 3 d 4 h; signs of units, alike everywhere."""
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
        text = ngettext(
            "Stopping %(n)s running task; nothing new starts.",
            "Stopping %(n)s running tasks; nothing new starts.",
            facts.running,
        )
        return text % {"n": f"{facts.running:,}"}
    head = _progress(facts)
    if not facts.failed:
        return head
    named = _named(facts) if facts.serious else ""
    return " ".join(filter(None, [head, named, _will_not_run(facts), _ignored(facts)]))


def _progress(facts: RunFacts) -> str:
    parts = [gettext("%(done)s of %(total)s done") % {"done": f"{facts.completed:,}", "total": f"{facts.total:,}"}]
    if facts.running:
        parts.append(gettext("%(running)s running") % {"running": f"{facts.running:,}"})
    if facts.pending:
        parts.append(gettext("%(pending)s waiting") % {"pending": f"{facts.pending:,}"})
    return gettext("Running: %(parts)s.") % {"parts": ", ".join(parts)}


def _completed(facts: RunFacts, took: str) -> str:
    if not facts.failed:
        text = ngettext(
            "Completed in %(took)s: the only task done.",
            "Completed in %(took)s: all %(total)s tasks done.",
            facts.total,
        )
        return text % {"took": took, "total": f"{facts.total:,}"}
    text = ngettext(
        "Completed after %(took)s: %(done)s of %(total)s tasks done, "
        "%(n)s failure tolerated because only optional dependents waited for it.",
        "Completed after %(took)s: %(done)s of %(total)s tasks done, "
        "%(n)s failures tolerated because only optional dependents waited for it.",
        facts.failed,
    )
    done = {"done": f"{facts.completed:,}", "total": f"{facts.total:,}"}
    return text % {"took": took, **done, "n": f"{facts.failed:,}"}


def _cancelled(facts: RunFacts, took: str) -> str:
    text = gettext("Cancelled after %(took)s%(why)s: %(done)s of %(total)s tasks were done, %(cancelled)s.")
    if facts.cancelled_by:
        text = gettext(
            "Cancelled by %(who)s after %(took)s%(why)s: %(done)s of %(total)s tasks were done, %(cancelled)s."
        )
    return text % {
        "who": facts.cancelled_by,
        "took": took,
        "why": f" ({_short(facts.reason)})" if facts.reason else "",
        "done": f"{facts.completed:,}",
        "total": f"{facts.total:,}",
        "cancelled": _tasks_cancelled(facts.cancelled),
    }


def _tasks_cancelled(count: int) -> str:
    return ngettext("%(n)s task cancelled", "%(n)s tasks cancelled", count) % {"n": f"{count:,}"}


def _failed(facts: RunFacts, took: str) -> str:
    only_cancelled = facts.cancelled and not facts.serious
    named = f"{_tasks_cancelled(facts.cancelled)}." if only_cancelled else _named(facts)
    head = gettext("Failed after %(took)s: %(what)s") % {"took": took, "what": named}
    return " ".join(filter(None, [head, _did_not_run(facts), _ignored(facts)]))


def _ignored(facts: RunFacts) -> str:
    if not facts.ignored:
        return ""
    text = ngettext(
        "%(n)s optional failure was ignored.",
        "%(n)s optional failures were ignored.",
        facts.ignored,
    )
    return text % {"n": f"{facts.ignored:,}"}


def _named(facts: RunFacts) -> str:
    named = [_failure(f) for f in facts.failures[:MAX_NAMED]]
    if not named:
        count = facts.serious or facts.failed
        return ngettext("%(n)s task failed.", "%(n)s tasks failed.", count) % {"n": f"{count:,}"}
    more = facts.serious - len(named)
    if more > 0:
        text = ngettext("%(failures)s; and %(n)s more failed.", "%(failures)s; and %(n)s more failed.", more)
        return text % {"failures": "; ".join(named), "n": f"{more:,}"}
    return f"{'; '.join(named)}."


def _failure(failure: Failure) -> str:
    if failure.code == "timeout":
        return gettext("“%(name)s” failed (timed out)") % {"name": failure.name}
    why = _short(failure.error)
    text = gettext("“%(name)s” failed (%(why)s)") if why else gettext("“%(name)s” failed")
    return text % {"name": failure.name, "why": why}


def _will_not_run(facts: RunFacts) -> str:
    if not facts.blocked:
        return ""
    n = facts.blocked
    if facts.serious == 1:
        text = ngettext("%(n)s task will not run because of it.", "%(n)s tasks will not run because of it.", n)
    else:
        text = ngettext("%(n)s task will not run because of that.", "%(n)s tasks will not run because of that.", n)
    return text % {"n": f"{n:,}"}


def _did_not_run(facts: RunFacts) -> str:
    if not facts.blocked:
        return ""
    n = facts.blocked
    if facts.serious == 1:
        text = ngettext("%(n)s task did not run because of it.", "%(n)s tasks did not run because of it.", n)
    else:
        text = ngettext("%(n)s task did not run because of that.", "%(n)s tasks did not run because of that.", n)
    return text % {"n": f"{n:,}"}


def _short(text: str) -> str:
    line = text.strip().splitlines()[0].rstrip(".") if text.strip() else ""
    return line if len(line) <= MAX_ERROR else f"{line[: MAX_ERROR - 1]}…"
