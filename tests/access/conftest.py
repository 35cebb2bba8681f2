"""The world of these tests is made once per file: whoever asks takes back what asking has changed."""

from __future__ import annotations

import pytest
from django.db import transaction

from tests.access.world import build


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), transaction.atomic():
        yield build()
        transaction.set_rollback(True)
