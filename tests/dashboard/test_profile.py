"""The profile: times in the viewer's zone, the tour."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from orchestration.builders.samples import samples_load
from orchestration.models import Profile, Run
from tests.dashboard.conftest import signed_in
from tests.dashboard.rows import start
from tests.factories import make_user


def text(response):
    return response.content.decode()


def test_times_are_shown_in_the_zone_of_the_viewer(clients, tree):
    run = start(tree)
    Run.objects.update(started_at=datetime(2026, 7, 1, 12, 0, tzinfo=UTC))
    assert clients["ann"].post("/me", {"time_zone": "Asia/Tokyo"}).status_code == 302
    for url in ("/runs/", f"/runs/{run.pk}", "/trees/"):
        page = text(clients["ann"].get(url))
        assert "2026-07-01 21:00:00 JST" in page
        assert 'data-zone="Asia/Tokyo"' in page
    assert "2026-07-01 12:00:00 UTC" in text(clients["bob"].get("/runs/"))
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "x" * 300, "<b>"])
def test_an_unknown_zone_is_refused(clients, zone):
    response = clients["ann"].post("/me", {"time_zone": zone})
    assert response.status_code == 400
    assert "there is no time zone" in text(response)
    assert not Profile.objects.exists()


def test_a_zone_that_the_system_no_longer_knows_does_no_harm(clients):
    Profile.objects.create(user=make_user("ann"), time_zone="Old/Zone")
    assert clients["ann"].get("/").status_code == 200


@pytest.mark.django_db
def test_the_tour_is_made_of_samples_and_can_be_put_away():
    ann = make_user("ann")
    client = signed_in(ann)
    assert "Two minutes" not in text(client.get("/"))
    samples_load(owner=ann)
    assert "Two minutes" in text(client.get("/"))
    run = start(ann.trees.get(name="Server health report"))
    assert run.get_absolute_url() in text(client.get("/"))
    client.post("/me/tour")
    assert "Two minutes" not in text(client.get("/"))
    client.post("/me/tour", {"done": "0"})
    assert "Two minutes" in text(client.get("/"))
