"""Filters that a person keeps."""

from __future__ import annotations

import pytest

from orchestration.models import SavedFilter
from tests.dashboard.conftest import signed_in
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(db):
    return signed_in(make_user("ann"))


def save(client, name="Failed", query="state=failed", **fields):
    return client.post("/filters/trees/save", {"name": name, "query": query, **fields})


def test_a_filter_is_kept_and_shown_on_its_list_only(ann):
    assert save(ann).headers["Location"] == "/trees/?state=failed"
    assert b">Failed</a>" in ann.get("/trees/").content
    assert b">Failed</a>" not in ann.get("/runs/").content
    assert b">Failed</a>" not in signed_in(make_user("bob")).get("/trees/").content


def test_the_list_opens_with_the_default(ann):
    save(ann, default="1")
    assert ann.get("/trees/").headers["Location"] == "/trees/?state=failed"
    assert ann.get("/trees/?all=1").status_code == 200
    save(ann, "Mine", "mine=1", default="1")
    assert SavedFilter.objects.filter(is_default=True).count() == 1
    ann.post(f"/filters/{SavedFilter.objects.get(name='Mine').pk}/default")
    assert ann.get("/trees/").status_code == 200


def test_saving_under_the_same_name_replaces(ann):
    save(ann)
    save(ann, query="state=completed")
    assert SavedFilter.objects.get().query == "state=completed"


def test_a_filter_is_forgotten_by_its_owner_only(ann):
    save(ann)
    url = f"/filters/{SavedFilter.objects.get().pk}/delete"
    assert signed_in(make_user("bob")).post(url).status_code == 404
    assert ann.post(url).headers["Location"] == "/trees/?all=1"
    assert not SavedFilter.objects.exists()


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        ("/filters/trees/save", {"name": "", "query": "q=a"}),
        ("/filters/trees/save", {"name": "x" * 61, "query": "q=a"}),
        ("/filters/trees/save", {"name": "a", "query": "q=" + "a" * 600}),
        ("/filters/tasks/save", {"name": "a", "query": "q=a"}),
    ],
)
def test_a_bad_filter_is_refused(ann, url, fields):
    assert ann.post(url, fields).status_code == 400
    assert not SavedFilter.objects.exists()


def test_a_name_is_shown_as_text(ann):
    save(ann, name="<b>x</b>")
    assert b"<b>x</b>" not in ann.get("/trees/").content
