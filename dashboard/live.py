"""The fragments of the run page, as text: the page itself, the htmx answer and the socket push render these."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.template.loader import get_template
from django.utils.html import format_html
from django.utils.safestring import mark_safe

from dashboard.contexts.insight import Insight, run_insight
from dashboard.contexts.rows import row_view, rows_view
from dashboard.contexts.runs import Rights, run_actions, run_head
from orchestration.models import Run
from orchestration.selectors.run_rows import Rows, Window, changed_rows, group_ancestors, pending_dependents, run_rows

MANY = 50  # changed rows above which one morph of all rows is cheaper


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole live part of a page, and what it holds."""

    html: str
    seq: int
    ids: frozenset[UUID]
    active: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What a frame changes in a window."""

    html: str
    whole: bool  # all rows were rendered


def load_run(run_id: int) -> Run:
    """The run with what its fragments need. Raises Run.DoesNotExist."""
    return Run.objects.select_related("tree", "started_by", "cancelled_by").get(pk=run_id)


def head_html(run: Run) -> str:
    """The header as a partial."""
    return partial("#run-head", render("dashboard/run_head.html", head=run_head(run)))


def actions_html(run: Run, *, rights: Rights) -> str:
    """The buttons as a partial, for a user with *rights* on the tree."""
    html = render("dashboard/run_actions.html", actions=run_actions(run, rights=rights))
    return partial("#run-actions", html)


def why_html(why: Insight | None, *, allowed: bool) -> str:
    """What went wrong, as a partial; empty while all goes well."""
    return partial("#run-why", render("dashboard/run_why.html", why=why, allowed=allowed))


def changed_html(run: Run, window: Window, changed: frozenset[UUID], shown: frozenset[UUID]) -> Change:
    """What changes in *window*, which holds the tasks *shown*, when the tasks *changed* do: their rows, those of the
    tasks that wait for them and of the groups above; or all rows when most change or a filter decides what is shown."""
    touched = {*changed, *pending_dependents(run, changed), *group_ancestors(run, changed)} & shown
    if window.filtered or len(touched) > MANY:
        return Change(window_html(run.pk, window), whole=True)
    row = get_template("dashboard/run_row.html")
    rows = [(r.id.hex, row.render({"row": row_view(run, r)})) for r in changed_rows(run, touched)]
    return Change("".join(partial(f"#t-{hexed}", html) for hexed, html in rows), whole=False)


def snapshot(run_id: int, window: Window, *, rights: Rights) -> Snapshot:
    """Header, buttons and all rows of *window* as partials."""
    found = run_rows(load_run(run_id), window)
    run = load_run(run_id)  # after the rows: the header is never older than they are
    why = run_insight(run)
    path = why.path if why else frozenset()
    html = head_html(run) + actions_html(run, rights=rights) + why_html(why, allowed=rights.run)
    html += partial("#path-chip", render("dashboard/run_path.html", why=why))
    html += body_html(run, window, found, path)
    return Snapshot(html=html, seq=found.seq, ids=found.ids, active=run.is_active)


def window_html(run_id: int, window: Window) -> str:
    """All rows of *window* as they are now, as partials."""
    run = load_run(run_id)
    return body_html(run, window, run_rows(run, window))


def body_html(run: Run, window: Window, found: Rows, path: frozenset[str] = frozenset()) -> str:
    """All rows of *window* and its pager as partials."""
    view = rows_view(run, window, found, path)
    rows = partial("#rows", render("dashboard/run_rows.html", view=view), swap="innerMorph")
    return rows + partial("#pager", render("dashboard/run_pager.html", view=view))


def render(name: str, **context: object) -> str:
    """Template *name* as text."""
    return get_template(name).render(context)


def partial(target: str, html: str, swap: str = "outerMorph") -> str:
    """*html*, rendered by a template, addressed to the element *target*."""
    safe = mark_safe(html)  # noqa: S308  (comes from an autoescaping template)  # nosec B308 B703
    return format_html('<hx-partial hx-target="{}" hx-swap="{}">{}</hx-partial>', target, swap, safe)
