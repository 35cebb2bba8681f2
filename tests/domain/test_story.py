"""The story of a run, in words."""

from __future__ import annotations

import pytest

from orchestration.domain.states import Status
from orchestration.domain.story import Failure, RunFacts, duration_words, run_story

CASES = [
    (RunFacts("in_progress", 8, running=2, completed=3), "Running: 3 of 8 done, 2 running, 3 waiting."),
    (RunFacts("in_progress", 8, running=2, cancelling=True), "Stopping 2 running tasks; nothing new starts."),
    (RunFacts("completed", 8, completed=8, elapsed_s=12.3), "Completed in 12 s: all 8 tasks done."),
    (RunFacts("completed", 1, completed=1, elapsed_s=1), "Completed in 1.0 s: the only task done."),
    (
        RunFacts(
            "failed", 8, completed=3, failed=1, blocked=4, elapsed_s=192, failures=[Failure("load", "x", "timeout")]
        ),
        "Failed after 3 m 12 s: “load” failed (timed out). 4 tasks did not run because of it.",
    ),
    (
        RunFacts("failed", 9, failed=5, elapsed_s=2, failures=[Failure(n, "full.\nmore") for n in "abc"]),
        "Failed after 2.0 s: “a” failed (full); “b” failed (full); “c” failed (full); and 2 more failed.",
    ),
    (
        RunFacts("cancelled", 4, completed=1, cancelled=3, elapsed_s=5, cancelled_by="ann", reason="wrong file"),
        "Cancelled by ann after 5.0 s (wrong file): 1 of 4 tasks were done, 3 tasks cancelled.",
    ),
]


@pytest.mark.parametrize(("facts", "story"), CASES)
def test_the_story(facts, story):
    assert run_story(facts) == story


def test_tolerated_failures_are_said():
    assert "1 failure tolerated" in run_story(RunFacts(Status.COMPLETED, 3, completed=2, failed=1, elapsed_s=1))


def test_a_long_error_is_cut():
    told = run_story(RunFacts(Status.FAILED, 1, failed=1, failures=[Failure("a", "x" * 10_000)]))
    assert len(told) < 200


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0.0 s"), (0.44, "0.4 s"), (59.9, "59 s"), (60, "1 m 00 s"), (3725, "1 h 02 m"), (100_000, "1 d 3 h")],
)
def test_durations_in_words(seconds, words):
    assert duration_words(seconds) == words
