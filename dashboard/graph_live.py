"""The graph of a run while it goes on: the socket and the poll send the same fragments."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs
from uuid import UUID

from channels.db import database_sync_to_async

from dashboard import live
from dashboard.consumers import RunPageConsumer
from dashboard.contexts.graph import GraphView, graph_view
from dashboard.contexts.graph_plan import LIMITS, Fold, GraphQuery, Look, Plan, looks_of, news_of, plan_of
from dashboard.contexts.rows import FILTERS
from dashboard.contexts.runs import Rights
from dashboard.forms import number_of
from orchestration.feeds import Frame, Subscription
from orchestration.models import Run
from orchestration.selectors.graph import graph_edges, graph_tasks

MAX_HOPS = 9


@dataclass(frozen=True, slots=True)
class Shot:
    """The whole live part of the page, and what it holds."""

    html: str
    seq: int
    plan: Plan
    looks: dict[str, Look]


def query_from(values: Mapping[str, str]) -> GraphQuery:
    """The part of the graph that a query string asks for; what cannot be understood is left out."""
    fold = values.get("fold", "")
    state = values.get("state", "")
    return GraphQuery(
        around=_uuid(values.get("around", "")),
        hops=min(MAX_HOPS, max(1, number_of(values.get("hops")) or 2)),
        inside=_uuid(values.get("inside", "")),
        fold=_FOLDS.get(fold, "auto"),
        state=state if state in FILTERS else "",
    )


_FOLDS: dict[str, Fold] = {name: name for name in LIMITS}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def run_graph(run: Run, query: GraphQuery) -> tuple[Plan, GraphView, dict[str, Look]]:
    """The graph of *run* as it is now."""
    tasks = graph_tasks(run.tree_id, run)
    plan = plan_of(tasks, graph_edges(run.tree), query)
    looks = looks_of(plan, tasks, active=run.is_active)
    return plan, graph_view(plan, tasks, looks, query, f"{run.get_absolute_url()}/graph", run.pk), looks


def snapshot(run_id: int, query: GraphQuery, signature: str, *, rights: Rights, plan: Plan | None = None) -> Shot:
    """Header, buttons and all boxes as they are now; the whole drawing when the page shows other boxes than *signature*
    names. *plan*: what the viewer has already."""
    run = live.load_run(run_id)
    seq = run.seq  # before the tasks: they are at least this new
    if plan is None:
        plan, view, looks = run_graph(run, query)
        drawing = live.render("dashboard/graph_canvas.html", graph=view) if plan.signature != signature else ""
    else:
        looks, drawing = fresh_looks(run, plan), ""
    run = live.load_run(run_id)  # after the tasks: the header is never older than they are
    parts = [live.head_html(run), live.actions_html(run, rights=rights)]
    parts.append(live.partial("#graph-canvas", drawing, swap="innerHTML") if drawing else news_html(looks))
    return Shot("".join(parts), seq, plan, looks)


def fresh_looks(run: Run, plan: Plan) -> dict[str, Look]:
    """How the boxes of *plan* look now."""
    return looks_of(plan, graph_tasks(run.tree_id, run), active=run.is_active)


def news_html(looks: Mapping[str, Look]) -> str:
    """Looks as data that the page's script applies: replacing boxes would take focus and pointer away."""
    return live.partial("#graph-news", live.render("dashboard/graph_news.html", news=json.dumps(looks)), "innerHTML")


class GraphConsumer(RunPageConsumer):
    """Pushes header, buttons and looks of boxes of one run to one page."""

    _plan: Plan | None = None

    async def _snapshot(self, news: Subscription) -> None:
        values = parse_qs(self.scope["query_string"].decode("latin-1"))
        query = {key: found[0] for key, found in values.items()}
        wanted, shown, rights, plan = query_from(query), query.get("sig", ""), self._rights, self._plan
        shot: Shot = await news.fresh.get(
            ("graph", wanted, shown if plan is None else plan.signature, plan is None, rights),
            lambda: database_sync_to_async(snapshot)(self._run_id, wanted, shown, rights=rights, plan=plan),
        )
        self._seq, self._plan, self._sent = shot.seq, shot.plan, shot.looks
        await self._tell(shot.html)

    async def _push(self, frame: Frame) -> None:
        plan, sent = self._plan, self._sent
        if plan is None:
            return
        self._seq = frame.seq
        run, around = await self._around(frame)
        looks: dict[str, Look] = await frame.once(
            f"looks {plan.signature}", lambda: database_sync_to_async(fresh_looks)(run, plan)
        )

        async def news() -> tuple[str, object]:
            changed = news_of(looks, sent)
            return news_html(changed) if changed else "", sent  # kept, so that its id stays its own

        html, _ = await frame.once(f"news {plan.signature} {id(sent)}", news)
        self._sent = looks
        await self._tell(around + html)
