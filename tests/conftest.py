"""What every test has: roles, tables that can be emptied, and in .ci/run a failure instead of a skip."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase

from orchestration.builders import bulk
from orchestration.models import Tree
from tests.support_audit import forget_audit
from tests.support_needs import e2e_missing, fuzz_missing, refuse_skip
from tests.support_postgres import shared
from tests.support_speed import long_files_first, quick_flush


def pytest_collection_modifyitems(config, items):
    """Skip browser and fuzz tests that can't run here, saying what to install; with APFLOW_E2E_REQUIRED=1 they fail."""
    if hasattr(config, "workerinput"):
        items.sort(key=long_files_first)
    for name, missing in (("e2e", e2e_missing()), ("fuzz", fuzz_missing())):
        for item in items:
            if missing and item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=missing))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    refuse_skip(report)
    if report.failed and settings.POSTGRES:
        report.sections.append(("PostgreSQL", shared().said()))
    return report


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """The flush after a transactional test leaves the roles, as the migrations did: another test may need them.

    At the end nobody has the database open: a thread of asgiref lives as long as the process, and what comes back to a
    pool while that is closed stays open as long as anything refers to it, such as an exception that a test has kept.
    """
    with django_db_blocker.unblock():
        quick_flush()
    yield
    if settings.POSTGRES:
        with django_db_blocker.unblock():
            connection.close()
        shared().cut(connection.settings_dict["NAME"])


@pytest.fixture(autouse=True)
def _bulk_by_hand(monkeypatch):
    """The thread would work outside of a test's transaction, and after its end; tests call `work_off` instead."""
    monkeypatch.setattr(bulk.worker, "wake", lambda: None)


def _transactional(request) -> bool:
    marker = request.node.get_closest_marker("django_db")
    by_class = request.cls is not None and issubclass(request.cls, TransactionTestCase)
    return by_class or "transactional_db" in request.fixturenames or bool(marker and marker.kwargs.get("transaction"))


@pytest.fixture(autouse=True)
def _archives_and_audit(request, _django_db_marker):
    """A transactional test ends with a flush, and the guards would refuse to empty the tasks of an archived tree and
    the audit log: so thaw the first and empty the second before. `quick_flush` does not ask them."""
    if settings.POSTGRES or not _transactional(request):
        yield
        return
    if "transactional_db" in request.fixturenames:
        request.getfixturevalue("transactional_db")
    yield
    Tree.objects.exclude(archived_at=None).update(archived_at=None)
    forget_audit()
