"""Sessions end: after 12 idle hours, and seven days after the sign-in however busy they are."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apflow_site.sessions import RENEW_S, RENEWED, SINCE
from tests.factories import make_user

pytestmark = pytest.mark.django_db
DAY = 24 * 3600


@pytest.fixture
def page():
    client = Client()
    client.force_login(make_user("ann"))
    return client


def signed_in_since(page, seconds):
    session = page.session
    session[SINCE] = int(time.time()) - seconds
    session.save()


def test_a_session_lives_twelve_idle_hours(page):
    assert page.get("/me").status_code == 200
    left = Session.objects.get().expire_date - timezone.now()
    assert timedelta(hours=11, minutes=59) < left <= timedelta(hours=12)


def test_and_never_longer_than_seven_days(page):
    signed_in_since(page, 7 * DAY - 600)
    assert page.get("/me").status_code == 200
    assert Session.objects.get().expire_date - timezone.now() <= timedelta(seconds=600)
    signed_in_since(page, 7 * DAY + 1)
    answer = page.get("/me")
    assert (answer.status_code, answer["Location"][:7]) == (302, "/login/")
    assert page.get("/api/v1/me/").status_code == 401


def test_it_is_renewed_every_ten_minutes_and_between_them_nothing_is_written(page):
    def written():
        with CaptureQueriesContext(connection) as told:
            assert page.get("/me").status_code == 200
        return [one["sql"] for one in told if one["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]

    assert any("django_session" in one for one in written())
    assert written() == []
    session = page.session
    session[RENEWED] -= RENEW_S
    session.save()
    Session.objects.update(expire_date=timezone.now() + timedelta(hours=11, minutes=50))
    assert any("django_session" in one for one in written())
    assert Session.objects.get().expire_date - timezone.now() > timedelta(hours=11, minutes=59)
