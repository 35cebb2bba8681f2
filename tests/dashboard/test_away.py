"""A page whose session cannot be stored, because the database is busy, is no bad request."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import make_user
from tests.support_locks import impatient, no_writes

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_says_that_the_database_does_not_answer(monkeypatch):
    client = Client()
    client.force_login(make_user())
    with impatient(monkeypatch), no_writes():
        page = client.get("/runs/")
    assert page.status_code == 503
    assert "The database does not answer" in page.content.decode()
    assert 'http-equiv="refresh"' in page.content.decode()
    assert client.get("/runs/").status_code == 200, "the session is as it was"
