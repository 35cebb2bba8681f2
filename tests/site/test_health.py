"""Probes: no login, and no optimism."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestration.models import Worker

pytestmark = pytest.mark.django_db


def make_worker(*, age_s=0, stopped=False):
    at = timezone.now() - timedelta(seconds=age_s)
    return Worker.objects.create(
        id=f"h:1:{age_s}",
        host="h",
        pid=1,
        process_slots=1,
        async_slots=1,
        started_at=at,
        heartbeat_at=at,
        stopped_at=at if stopped else None,
    )


def test_the_process_answers(client):
    response = client.get("/healthz")
    assert response.json() == {"status": "ok"}


def test_ready_needs_a_beating_engine(client):
    make_worker(age_s=3600)
    make_worker(age_s=1)
    response = client.get("/readyz")
    assert response.status_code == 200
    assert 1 <= response.json()["engine_heartbeat_age_s"] < 10


@pytest.mark.parametrize(
    ("workers", "status"),
    [([], "no engine"), ([{"stopped": True}], "no engine"), ([{"age_s": 3600}], "engine silent")],
)
def test_not_ready(client, workers, status):
    for worker in workers:
        make_worker(**worker)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["status"] == status


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_read_only_and_never_cached(client, path):
    assert client.post(path).status_code == 405
    assert "no-store" in client.get(path)["Cache-Control"]
