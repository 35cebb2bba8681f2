"""Lists: the address is the filter."""

from __future__ import annotations

import pytest
from django.utils import timezone

from orchestration.domain.states import Status
from orchestration.models import Run, Tree
from tests.dashboard.conftest import signed_in
from tests.dashboard.rows import end_run, start
from tests.factories import make_tree, make_user, task

pytestmark = pytest.mark.django_db


def text(response):
    return response.content.decode()


@pytest.fixture
def ann(db):
    for name in ("Alpha", "Beta", "Gamma"):
        make_tree(task(name, executor=""), task("a"), owner=make_user("ann"), labels=("night",) * (name == "Beta"))
    end_run(start(Tree.objects.get(name="Alpha")), Status.FAILED)
    start(Tree.objects.get(name="Beta"))
    return signed_in(make_user("ann"))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=et", {"Beta"}),
        ("state=failed", {"Alpha"}),
        ("state=in_progress", {"Beta"}),
        ("state=never", {"Gamma"}),
        ("state=archived", set()),
        ("label=night", {"Beta"}),
        ("mine=1&q=a", {"Alpha", "Beta", "Gamma"}),
        ("state=nonsense", {"Alpha", "Beta", "Gamma"}),
    ],
)
def test_trees_are_filtered(ann, query, names):
    page = text(ann.get(f"/trees/?{query}"))
    assert {name for name in ("Alpha", "Beta", "Gamma") if f">{name}<" in page} == names
    assert (f"{len(names)} tree" if names else "No tree matches") in page


@pytest.mark.parametrize(
    ("query", "count"), [("", 2), ("state=failed", 1), ("q=beta", 1), ("mine=1", 2), ("hours=24", 2), ("hours=x", 2)]
)
def test_runs_are_filtered(ann, query, count):
    assert f"{count} run" in text(ann.get(f"/runs/?{query}"))


def test_an_old_run_is_not_of_the_last_day(ann):
    now = timezone.now()
    Run.objects.update(started_at=now.replace(year=now.year - 1))
    assert "No run matches" in text(ann.get("/runs/?hours=24"))


def test_an_empty_list_says_why_and_what_next(ann):
    page = text(ann.get("/trees/?q=nothing"))
    assert "No tree matches this filter" in page
    assert "/trees/?all=1" in page
    eve = signed_in(make_user("eve"))
    assert "You have no trees yet" in text(eve.get("/trees/"))
    assert "Nothing has run yet" in text(eve.get("/runs/"))


def test_pages_follow_one_another_without_gaps(ann):
    for number in range(60):
        make_tree(task(f"Page {number}", executor=""), owner=make_user("ann"))
    first = text(ann.get("/trees/?q=Page"))
    assert "60 trees" in first
    assert first.count("data-row") == 50
    last = Tree.objects.filter(name__startswith="Page").order_by("-pk")[49]
    assert f"q=Page&amp;before={last.pk}" in first
    assert text(ann.get(f"/trees/?q=Page&before={last.pk}")).count("data-row") == 10


def test_a_count_stops_at_a_thousand(ann):
    now, owner = timezone.now(), make_user("ann")
    Tree.objects.bulk_create(Tree(name="x", owner=owner, created_at=now, updated_at=now) for _ in range(1001))
    assert "1,000+ trees" in text(ann.get("/trees/?q=x"))


def test_executors_are_searched_and_tried(ann):
    found = text(ann.get("/executors/?q=send_email"))
    assert "1 executor" in found
    assert "cannot be stopped once it runs" in found
    assert "No executor matches" in text(ann.get("/executors/?q=zzzz"))
    assert 'name="inputs.' in text(ann.get("/executors/http/try"))
    response = ann.post("/executors/noop/try", {"inputs_json": '{"a": 1}'})
    tree = Tree.objects.get(name="try noop")
    assert response.headers["Location"] == Run.objects.get(tree=tree).get_absolute_url()
    assert tree.labels == ["try"]
    assert tree.tasks.get().inputs == {"a": 1}


@pytest.mark.parametrize("extra", ["{", "[1]", "[" * 9999])
def test_a_try_with_bad_inputs_makes_nothing(ann, extra):
    response = ann.post("/executors/noop/try", {"inputs_json": extra})
    assert response.status_code == 400
    assert "Nothing was run" in text(response)
    assert not Tree.objects.filter(name="try noop").exists()


def test_a_try_needs_a_known_executor_and_the_role(ann):
    assert ann.get("/executors/nope/try").status_code == 404
    assert signed_in(make_user("vera", role="viewer")).get("/executors/noop/try").status_code == 403


def test_workers_say_what_is_missing(ann):
    assert "No worker has ever reported" in text(ann.get("/workers/"))
