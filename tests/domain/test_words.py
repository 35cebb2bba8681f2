"""Sentences in another language: what a translation says reaches people, and values do not change it."""

from __future__ import annotations

import pytest
from django.utils import translation

from orchestration.domain import words
from orchestration.domain.explain.facts import EdgeFact, TaskFact
from orchestration.domain.explain.queueing import Slots
from orchestration.domain.explain.verdicts import edge_verdicts
from orchestration.domain.explain.waiting import why_waiting
from orchestration.domain.states import Status
from orchestration.domain.story import Failure, RunFacts, run_story

GERMAN = {
    "Failed after %(took)s: %(what)s": "Nach %(took)s gescheitert: %(what)s",
    "“%(name)s” failed (%(why)s)": "„%(name)s“ scheiterte (%(why)s)",
    "%(n)s tasks did not run because of it.": "Deshalb liefen %(n)s Aufgaben nicht.",
    "Waits for %(name)s, %(which)s": "Wartet auf %(name)s, %(which)s",
    "which is running": "die läuft",
    "still running": "läuft noch",
}
FAILED = RunFacts(Status.FAILED, 9, failed=1, blocked=2, elapsed_s=12, failures=[Failure("50 % %(n)s", "%s")])


@pytest.fixture
def german():
    words.use(
        gettext=lambda text: GERMAN.get(text, text),
        ngettext=lambda singular, plural, count: GERMAN.get(plural, plural) if count != 1 else singular,
    )
    yield
    words.use(gettext=translation.gettext, ngettext=translation.ngettext)


@pytest.fixture
def alone():
    words.use()
    yield
    words.use(gettext=translation.gettext, ngettext=translation.ngettext)


def test_a_translation_reaches_the_story(german):
    told = "Nach 12 s gescheitert: „50 % %(n)s“ scheiterte (%s). Deshalb liefen 2 Aufgaben nicht."
    assert run_story(FAILED) == told


def test_a_translation_reaches_the_explanations(german):
    tasks = {"a": TaskFact("a", "a", executor="noop"), "b": TaskFact("b", "100 %d", Status.IN_PROGRESS, "noop")}
    edges = [EdgeFact("a", "b")]
    assert why_waiting("a", tasks, edges, Slots(process=1)).headline == "Wartet auf “100 %d”, die läuft."
    assert [verdict.words for verdict in edge_verdicts(tasks, edges)] == ["läuft noch"]


def test_the_application_lends_its_translations():
    with translation.override("en"):
        assert run_story(FAILED) == "Failed after 12 s: “50 % %(n)s” failed (%s). 2 tasks did not run because of it."


def test_without_an_application_it_is_english(alone):
    assert run_story(FAILED) == "Failed after 12 s: “50 % %(n)s” failed (%s). 2 tasks did not run because of it."
    assert [words.ngettext("one", "many", n) for n in (0, 1, 2)] == ["many", "one", "many"]
