"""What SQLite cannot show: it has one writer at a time, and no connection that another machine may hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from tests.support_needs import ONLY_ON

HERE = Path(__file__).parent
REASON = f"{ONLY_ON}PostgreSQL: manage.py test --postgres tests/postgres"


def pytest_collection_modifyitems(items):
    for item in items:
        if not settings.POSTGRES and HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=REASON))
