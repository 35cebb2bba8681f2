"""The other tabs of the run page: events, inputs and results, comparison."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard.contexts.common import run_line
from dashboard.contexts.feed import feed_view
from dashboard.contexts.runs import run_head
from dashboard.contexts.values import compare_view, data_line, givers
from dashboard.forms import number_of
from dashboard.htmx import fragment, is_htmx
from dashboard.live import load_run
from dashboard.live import render as text_of
from orchestration.models import Run, Task
from orchestration.selectors import access
from orchestration.selectors.explain import compare
from orchestration.selectors.run_feed import event_feed, last_good_run, other_runs, run_values


@require_GET
def run_events(request: HttpRequest, run_id: int) -> HttpResponse:
    """What happened, newest first; htmx gets the feed."""
    run = access.run_for_read(request.user, run_id)
    before, problems = number_of(request.GET.get("before")), request.GET.get("only") == "problems"
    feed = feed_view(run, event_feed(run, before=before, problems=problems), before=before, problems=problems)
    if is_htmx(request):
        return fragment(text_of("dashboard/run_feed.html", feed=feed))
    return render(request, "dashboard/run_events.html", {"head": run_head(run), "tab": "events", "feed": feed})


@require_GET
def run_data(request: HttpRequest, run_id: int) -> HttpResponse:
    """What every task got and gave, a page at a time."""
    run = access.run_for_read(request.user, run_id)
    start = number_of(request.GET.get("start")) or 0
    values, following = run_values(run, start)
    names = {pk.hex: name for pk, name in Task.objects.filter(pk__in=givers(values)).values_list("pk", "name")}
    context = {
        "head": run_head(run),
        "tab": "data",
        "lines": [data_line(value, run, names) for value in values],
        "start": start,
        "next": following,
    }
    return render(request, "dashboard/run_data.html", context)


@require_GET
def run_compare(request: HttpRequest, run_id: int) -> HttpResponse:
    """On to the comparison with `?with=`, else with the last good or the previous run; a page if there is none."""
    run = access.run_for_read(request.user, run_id)
    asked = number_of(request.GET.get("with"))
    others = other_runs(run)
    other: Run | None
    if asked is not None:
        other = access.run_for_read(request.user, asked)
    else:
        earlier = next((o for o in others if o.number < run.number), None)
        other = last_good_run(run) or earlier or (others[0] if others else None)
    if other is None or other.pk == run.pk:
        return render(request, "dashboard/run_compare.html", {"head": run_head(run), "tab": "compare", "view": None})
    first, second = (other, run) if other.pk < run.pk or asked is not None else (run, other)
    return HttpResponseRedirect(f"/runs/{first.pk}/compare/{second.pk}")


@require_GET
def run_compare_with(request: HttpRequest, run_a: int, run_b: int) -> HttpResponse:
    """How run b differs from run a."""
    now = timezone.now()
    report = compare(request.user, run_a, run_b, now=now)
    run = load_run(run_b)
    context = {
        "head": run_head(run),
        "tab": "compare",
        "view": compare_view(report, now),
        "others": [run_line(other, now, tree_name=run.tree.name) for other in other_runs(run)],
        "chosen": run_a,
    }
    return render(request, "dashboard/run_compare.html", context)
