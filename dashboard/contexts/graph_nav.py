"""The links around a graph: what part is shown, how much of it, what stands out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.utils.translation import gettext

from dashboard.contexts.common import State, query_of
from dashboard.contexts.graph import GraphView
from dashboard.contexts.graph_plan import GraphQuery
from dashboard.contexts.rows import FILTERS
from orchestration.models import Task


@dataclass(frozen=True, slots=True)
class Choice:
    word: str
    url: str
    here: bool
    state: State | None = None


@dataclass(frozen=True, slots=True)
class GraphNav:
    """Links by purpose; an empty one is not shown."""

    part: str  # name of the task whose neighbourhood or branch is shown
    part_url: str
    inside: bool
    whole_url: str
    hops: tuple[Choice, ...]
    folds: tuple[Choice, ...]
    states: tuple[Choice, ...]


def graph_nav(base: str, query: GraphQuery, view: GraphView, tree_id: int) -> GraphNav:
    """The links around the graph at *base*. One query when only a part is shown."""
    chosen = query.around or query.inside
    name = Task.objects.values_list("name", flat=True).get(pk=chosen, tree_id=tree_id) if chosen else ""
    return GraphNav(
        part=name,
        part_url=f"/tasks/{chosen}" if chosen else "",
        inside=query.around is None and query.inside is not None,
        whole_url=base,
        hops=tuple(_choice(base, replace(query, hops=n), str(n), query) for n in (1, 2, 3, 5)) if query.around else (),
        folds=_folds(base, query, view) if not query.around else (),
        states=_states(base, query) if view.live else (),
    )


def _folds(base: str, query: GraphQuery, view: GraphView) -> tuple[Choice, ...]:
    if not (view.can_fold or view.folded):
        return ()
    usual = _choice(base, replace(query, fold="auto"), "auto" if view.folded else gettext("every task"), query)
    return usual, _choice(base, replace(query, fold="all"), "folded", query)


def _states(base: str, query: GraphQuery) -> tuple[Choice, ...]:
    return tuple(
        Choice(key, _url(base, replace(query, state="" if key == query.state else key)), key == query.state,
               State(key, key))
        for key in FILTERS
    )  # fmt: skip


def _choice(base: str, wanted: GraphQuery, word: str, query: GraphQuery) -> Choice:
    return Choice(word, _url(base, wanted), wanted == query)


def _url(base: str, query: GraphQuery) -> str:
    text = query_text(query)
    return f"{base}?{text}" if text else base


def query_text(query: GraphQuery) -> str:
    """*query* for an address; what is as usual is left out."""
    return query_of(
        around=query.around,
        hops=query.hops if query.around and query.hops != 2 else "",
        inside=query.inside,
        fold=query.fold if query.fold != "auto" else "",
        state=query.state,
    )
