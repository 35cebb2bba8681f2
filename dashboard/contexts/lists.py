"""What the lists of trees and runs show: rows, chips, counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model, QuerySet
from django.utils.translation import gettext, gettext_lazy

from dashboard.contexts.common import RunLine, query_of, run_line
from dashboard.contexts.trees import TreeLine, tree_line
from dashboard.texts import counted
from orchestration.models import Run, Tree
from orchestration.selectors.counting import capped_count
from orchestration.selectors.run_query import RunFilter
from orchestration.selectors.runs import PAGE as RUNS
from orchestration.selectors.trees import PAGE as TREES
from orchestration.selectors.trees import TreeFilter

COUNTED = 1000  # more than this is "1,000+"
DAY_H = 24

TREE_STATES = (
    ("", gettext_lazy("all")),
    ("in_progress", gettext_lazy("running")),
    ("failed", gettext_lazy("failed")),
    ("completed", gettext_lazy("completed")),
    ("cancelled", gettext_lazy("cancelled")),
    ("never", gettext_lazy("not run")),
    ("archived", gettext_lazy("archived")),
)
RUN_STATES = TREE_STATES[:5]


@dataclass(frozen=True, slots=True)
class Link:
    """A choice in a filter."""

    word: str
    url: str
    here: bool


@dataclass(frozen=True, slots=True)
class ListView[L]:
    """A page of a list: its rows, and the filter that chose them."""

    kind: str  # trees or runs
    lines: tuple[L, ...]
    count_words: str  # "12 trees"
    states: tuple[Link, ...]
    toggles: tuple[Link, ...]
    dropped: tuple[Link, ...]  # parts of the filter that can be taken away, such as a label
    search: str
    unsearched_url: str
    hidden: tuple[tuple[str, str], ...]  # the rest of the filter, for the search form
    values: dict[str, str]  # the filter by name
    query: str  # the whole filter as a query string, without the page
    page_url: str
    next_url: str
    first_url: str  # "" on the first page
    filtered: bool


def list_url(base: str, **values: Any) -> str:
    """The list with this filter; `all=1` instead of nothing, because nothing stands for the user's own default."""
    return f"{base}?{query_of(**values) or 'all=1'}"


def count_words(count: int, noun: str) -> str:
    """ "1 tree", "12 trees", "1,000+ trees"."""
    return counted(COUNTED, noun).replace(f"{COUNTED:,}", f"{COUNTED:,}+") if count > COUNTED else counted(count, noun)


def count_of[M: Model](found: Sequence[M], page: int, before: int | None, every: QuerySet[M]) -> int:
    """How many rows a list has, at most COUNTED + 1: a first page that holds them all needs no query."""
    if before is None and len(found) <= page:
        return len(found)
    return capped_count(every, COUNTED)


def tree_list(
    trees: list[Tree], strips: dict[int, list[Run]], wanted: TreeFilter, count: int, now: datetime
) -> ListView[TreeLine]:
    """The list of trees ready to be shown; *trees* may hold one more than a page."""
    values = {"q": wanted.search, "state": wanted.state, "label": wanted.label, "mine": "1" if wanted.mine else ""}
    url = _urls("/trees/", values)
    page = trees[:TREES]
    return ListView(
        kind="trees",
        lines=tuple(tree_line(tree, strips.get(tree.pk, []), now) for tree in page),
        count_words=count_words(count, "tree"),
        states=tuple(Link(str(word), url(state=state), wanted.state == state) for state, word in TREE_STATES),
        toggles=(Link(gettext("only mine"), url(mine="" if wanted.mine else "1"), wanted.mine),),
        dropped=(Link((gettext("label: %(label)s") % {"label": wanted.label}), url(label=""), here=True),)
        if wanted.label
        else (),
        search=wanted.search,
        unsearched_url=url(q=""),
        hidden=_hidden(values),
        values={key: str(value) for key, value in values.items()},
        query=query_of(**values),
        page_url=url(before=wanted.before),
        next_url=url(before=page[-1].pk) if len(trees) > TREES else "",
        first_url=url() if wanted.before else "",
        filtered=any(values.values()),
    )


def run_list(runs: list[Run], wanted: RunFilter, hours: int, count: int, now: datetime) -> ListView[RunLine]:
    """The list of runs ready to be shown; *runs* may hold one more than a page. *hours*: how far back, 0 = all."""
    values = {"q": wanted.search, "state": wanted.state, "mine": "1" if wanted.mine else "", "hours": hours or ""}
    url = _urls("/runs/", values)
    page = runs[:RUNS]
    return ListView(
        kind="runs",
        lines=tuple(run_line(run, now) for run in page),
        count_words=count_words(count, "run"),
        states=tuple(Link(str(word), url(state=state), wanted.state == state) for state, word in RUN_STATES),
        toggles=(
            Link(gettext("started by me"), url(mine="" if wanted.mine else "1"), wanted.mine),
            Link("last 24 h", url(hours="" if hours == DAY_H else DAY_H), hours == DAY_H),
        ),
        dropped=(Link((gettext("last %(hours)s h") % {"hours": hours}), url(hours=""), here=True),)
        if hours not in {0, DAY_H}
        else (),
        search=wanted.search,
        unsearched_url=url(q=""),
        hidden=_hidden(values),
        values={key: str(value) for key, value in values.items()},
        query=query_of(**values),
        page_url=url(before=wanted.before),
        next_url=url(before=page[-1].pk) if len(runs) > RUNS else "",
        first_url=url() if wanted.before else "",
        filtered=any(values.values()),
    )


def _urls(base: str, values: dict[str, Any]) -> Any:
    return lambda **changed: list_url(base, **{**values, **changed})


def _hidden(values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((key, str(value)) for key, value in values.items() if value and key != "q")
