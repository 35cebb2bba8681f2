"""Lists for programs: filters and orders from an allow-list, pages by keyset. Nothing of the request names a column."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.dateparse import parse_datetime

from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.json_gate import safe_text, text_problem

PAGE, MAX_PAGE = 50, 200
MAX_CURSOR = 5000  # a name of 255 emoji takes 4,200
MAX_FIELDS = 2000
MAX_WORDS = 255
INT_MAX = 2**63 - 1
GENERAL = ("cursor", "page_size", "ordering", "fields")

type Read = Callable[[str], Any]
type Apply = Callable[[QuerySet[Any], Any], QuerySet[Any]]


class Unfit(ValueError):
    """The text is no value of its kind; says what is expected, and as which code."""

    def __init__(self, expected: str, code: str = "invalid_filter") -> None:
        super().__init__(expected)
        self.code = code


@dataclass(frozen=True, slots=True)
class Filter:
    """A query parameter: how its text is read, what it does to the rows, what the documentation says."""

    read: Read
    apply: Apply
    help: str
    choices: tuple[str, ...] = ()
    kind: str = "string"


@dataclass(frozen=True, slots=True)
class Order:
    """A way to sort: a column that is never null, and how its value is written into a cursor."""

    column: str
    read: Read


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list can be asked for."""

    filters: Mapping[str, Filter]
    orders: Mapping[str, Order]
    default: str  # such as "-id"
    pk: Read = field(default=int)


@dataclass(frozen=True, slots=True)
class Query:
    values: list[tuple[Filter, Any]]
    ordering: str
    after: tuple[Any, Any] | None
    size: int


@dataclass(frozen=True, slots=True)
class Page:
    items: list[Any]
    next: str | None  # cursor


def whole(text: str) -> int:
    """*text* as a number of 64 bits. Raises Unfit."""
    bare = text.removeprefix("-")
    if not (bare.isascii() and bare.isdecimal() and len(bare) <= 19) or int(bare) > INT_MAX:
        raise Unfit("must be a whole number")
    return int(text)


def uuid(text: str) -> UUID:
    """*text* as a UUID. Raises Unfit."""
    try:
        return UUID(text)
    except ValueError:
        raise Unfit("must be a UUID") from None


def moment(text: str) -> datetime:
    """*text* as a time; UTC unless it says otherwise. Raises Unfit."""
    try:
        found = parse_datetime(text)
        if found is not None:
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Unfit("must be a time such as 2026-01-31T12:00:00Z")


def flag(text: str) -> bool:
    """*text* as a truth. Raises Unfit."""
    if text not in ("true", "false"):
        raise Unfit("must be true or false")
    return text == "true"


def words(text: str) -> str:
    """*text* as something to look for. Raises Unfit."""
    problem = text_problem(text, max_length=MAX_WORDS, field="text")
    if problem:
        raise Unfit(problem.message, problem.code)
    return text


def one_of(choices: Iterable[str]) -> Read:
    """A reader for one of *choices*."""
    known = tuple(choices)

    def read(text: str) -> str:
        if text not in known:
            raise Unfit(f"is one of {', '.join(known)}", "invalid_choice")
        return text

    return read


def choice(choices: Iterable[str], apply: Apply, help: str) -> Filter:
    """A filter by one of *choices*."""
    known = tuple(str(c) for c in choices)
    return Filter(one_of(known), apply, help, choices=known)


def read_query(params: QueryDict, listing: Listing) -> Query:
    """What *params* ask for. Raises Invalid: unknown filter, unfit value, unknown order, cursor of another list."""
    values = []
    for name, given in params.lists():
        if name in GENERAL:
            _once(name, given)
        elif name in listing.filters:
            values.append((listing.filters[name], _value(listing.filters[name], name, given)))
        else:
            known = ", ".join(sorted([*listing.filters, *GENERAL]))
            _refuse(safe_text(name, 64), f"unknown filter; known: {known}", "unknown_filter")
    ordering = params.get("ordering", listing.default)
    if ordering.removeprefix("-") not in listing.orders:
        _refuse(
            "ordering", f"order by one of: {', '.join(listing.orders)} (with - in front: backwards)", "invalid_ordering"
        )
    return Query(values, ordering, _cursor(params.get("cursor"), ordering, listing), _size(params.get("page_size")))


def read_fields(params: QueryDict, known: Iterable[str]) -> list[str] | None:
    """The fields to answer with; None = all. Raises Invalid."""
    text = params.get("fields")
    if text is None:
        return None
    names, known = [name.strip() for name in text.split(",") if name.strip()], list(known)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        message = f"unknown field '{safe_text(unknown[0] if unknown else '', 64)}'; known: {', '.join(known)}"
        _refuse("fields", message, "unknown_field")
    return names


def matching(rows: QuerySet[Any], query: Query) -> QuerySet[Any]:
    """Those of *rows* that fit the filters of *query*, in no order."""
    for filter_, value in query.values:
        rows = filter_.apply(rows, value)
    return rows


def page_of(rows: QuerySet[Any], query: Query, listing: Listing) -> Page:
    """The page of *rows* that *query* asks for. Two queries at most."""
    rows = matching(rows, query)
    back = query.ordering.startswith("-")
    order = listing.orders[query.ordering.removeprefix("-")]
    if query.after is not None:
        rows = rows.filter(_beyond(order.column, *query.after, back=back))
    sign = "-" if back else ""
    columns = [f"{sign}{order.column}"] + ([] if order.column == "pk" else [f"{sign}pk"])
    ordered = rows.order_by(*columns)
    if order.column == "pk":
        found = list(ordered[: query.size + 1])
    else:  # to sort whole rows would take many times as long
        ids = list(ordered.values_list("pk", flat=True)[: query.size + 1])
        found = sorted(rows.filter(pk__in=ids), key=lambda row: ids.index(row.pk))
    more = len(found) > query.size
    found = found[: query.size]
    return Page(found, _write_cursor(query.ordering, order, found[-1]) if more else None)


def _beyond(column: str, value: Any, pk: Any, *, back: bool) -> Q:
    side = "lt" if back else "gt"
    if column == "pk":
        return Q((f"pk__{side}", pk))
    return Q((f"{column}__{side}", value)) | (Q((column, value)) & Q((f"pk__{side}", pk)))


def _write_cursor(ordering: str, order: Order, row: Any) -> str:
    value = getattr(row, order.column)
    text = value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
    raw = json.dumps([ordering, text, str(row.pk)], ensure_ascii=True).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _cursor(text: str | None, ordering: str, listing: Listing) -> tuple[Any, Any] | None:
    if text is None:
        return None
    try:
        if len(text) > MAX_CURSOR or not text.isascii():
            raise ValueError
        parts = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        written, value, pk = parts
        if written != ordering or not isinstance(value, str) or not isinstance(pk, str):
            raise ValueError
        return listing.orders[ordering.removeprefix("-")].read(value), listing.pk(pk)
    except (ValueError, TypeError, binascii.Error, RecursionError):
        _refuse("cursor", "not a cursor of this list and order: start without one", "invalid_cursor")


def _size(text: str | None) -> int:
    if text is None:
        return PAGE
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= MAX_PAGE):
        _refuse("page_size", f"page_size is a whole number from 1 to {MAX_PAGE}", "out_of_range")
    return int(text)


def _value(filter_: Filter, name: str, given: list[Any]) -> Any:
    try:
        return filter_.read(_once(name, given))
    except Unfit as error:
        _refuse(name, f"{name} {error}", error.code)


def _once(name: str, given: list[Any]) -> str:
    if len(given) != 1:
        _refuse(name, f"{name} is given more than once", "invalid_filter")
    text = str(given[0])
    if "\0" in text:
        _refuse(name, "null characters are not allowed", "invalid_character")
    return text


def _refuse(path: str, message: str, code: str) -> NoReturn:
    raise Invalid([Problem(path, message, code)])
