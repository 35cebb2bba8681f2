"""Values travel to PostgreSQL as one array per column: each arrives as it was, in its own row, or nothing does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from django.db import DataError, connection, transaction

from orchestration.domain.changes import Changes, EventDraft
from orchestration.domain.ready_queue import Slots
from orchestration.domain.states import Kind
from orchestration.domain.work import Ending, Outcome
from orchestration.driver import array_text, driver_cursor, insert_into
from orchestration.models import Attempt, Event, Task
from orchestration.services.runs import run_start
from orchestration.services.transitions import Transitions
from orchestration.services.transitions_store import Times, store_events
from tests.factories import make_tree, make_user, task
from tests.support_fold import verify

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 30, 12, 0, 0, 123456, tzinfo=UTC)
HOSTILE = [
    'say "no"', "back\\slash", '\\"', "\\", '"', "two\nlines\r\t", "NULL", "null", "", " ", "{a,b}", "a,b", '","', "'",
    "$$", "%s %", "é\u2028日本😀", "\x01\x7f", "x" * 10_000,
]  # fmt: skip
COLUMNS = {
    "texts": ("text", HOSTILE),
    "texts and none": ("text", [None, *HOSTILE, None]),
    "one text": ("text", ['{"a": "b\\\\"}']),
    "equal texts": ("text", ['"\\'] * 3),
    "only none": ("text", [None, None]),
    "nothing": ("text", []),
    "numbers": ("bigint", [1, -2, 2**62]),
    "numbers and none": ("int", [7, None, 7]),
    "fractions": ("float", [0.1, 1e-300, 0.0]),
    "times": ("timestamptz", [AT, None, AT.astimezone(timezone(timedelta(hours=5, minutes=45))) - timedelta(1), AT]),
    "ids": ("uuid", [UUID(int=1), None, UUID(int=2)]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_values_arrive_as_they_were(name):
    kind, values = COLUMNS[name]
    with driver_cursor() as cursor:
        cursor.execute(f"SELECT %s::{kind}[]", [array_text(values)])
        assert cursor.fetchone() == (values,)


def refused(value, *others):
    """What the driver says to *value* in an array, and to the list that it would make an array of itself."""
    errors = []
    for sent in (array_text([value, *others]), [value, *others]):
        with pytest.raises(Exception) as caught, transaction.atomic(), driver_cursor() as cursor:  # noqa: PT011
            cursor.execute("SELECT %s::text[]", [sent])
        errors.append(caught.value)
    return errors


@pytest.mark.parametrize("value", ["a\0b", "\0", '"\0"', "\ud800"])
@pytest.mark.parametrize("others", [[], ["b", "c"], [None], ['","']])
def test_what_cannot_be_stored_is_refused_as_the_driver_does(value, others):
    ours, drivers = refused(value, *others)
    assert type(ours) is type(drivers)
    assert isinstance(ours, UnicodeEncodeError) or str(ours) == str(drivers)


def test_different_numbers_of_values_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        insert_into("t", {"a": "int", "b": "int"}).run(connection.cursor(), [(1, 2), (3,)])


def started(count):
    """An engine and so many attempts that it has started."""
    run_start(user=make_user(), tree_id=make_tree(*(task(f"t{n}") for n in range(count))).pk)
    engine = Transitions("w", lease_s=15, recovery_limit=3)
    return engine, engine.apply([], Slots(0, count)).works


def test_what_tasks_report_is_stored_as_it_was():
    texts = [text for text in HOSTILE if text]
    engine, works = started(len(texts))
    engine.apply(
        [
            Outcome(w.run_id, w.task_id, w.attempt, Ending.FAILED, error=said, traceback=said, log=said)
            for w, said in zip(works, texts, strict=True)
        ],
        Slots(),
    )  # fmt: skip
    for work, said in zip(works, texts, strict=True):
        attempt = Attempt.objects.get(task=work.task_id)
        assert (attempt.error, attempt.traceback, attempt.log) == (said, said, said)
        assert Task.objects.get(pk=work.task_id).error == said
    verify(works[0].run_id)


@pytest.mark.parametrize(("field", "value"), [("result", "{"), ("result", ""), ("error", "a\0b"), ("log", "\0")])
def test_a_report_that_cannot_be_stored_stores_nothing(field, value):
    engine, works = started(2)
    good, bad = (Outcome(w.run_id, w.task_id, w.attempt, Ending.COMPLETED, result="1") for w in works)
    if field == "error":
        bad.ending, bad.result = Ending.FAILED, None
    setattr(bad, field, value)
    with pytest.raises(DataError):
        engine.apply([good, bad], Slots())
    assert set(Attempt.objects.values_list("status", flat=True)) == {"in_progress"}
    verify(works[0].run_id)


def test_an_event_of_its_own_is_stored_as_it_was():
    _, (work,) = started(1)
    texts = {"said": HOSTILE, "nothing": None}
    with driver_cursor() as cursor:
        draft = EventDraft(99, Kind.TASK_CHANGED, None, None, AT, texts)
        store_events(cursor, [(work.run_id, Changes(events=[draft]))], Times())
    event = Event.objects.get(run=work.run_id, seq=99)
    assert (event.data, event.at, event.task_id, event.attempt) == (texts, AT, None, None)
