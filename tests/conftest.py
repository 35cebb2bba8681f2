"""What every test has: roles, thawed archives after transactional tests, and browser tests only where they can run."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection
from django.test import TransactionTestCase

from orchestration.models import Tree
from orchestration.roles import roles_install
from tests.support_audit import forget_audit

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CUT_OTHERS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()"""
E2E_REMEDY = "install it with: .venv/bin/python -m pip install --require-hashes -r requirements-e2e.lock"
CHROMIUM_REMEDY = "install it with: apt-get install chromium"


def _e2e_missing() -> str:
    if importlib.util.find_spec("playwright") is None:
        return f"playwright is missing: {E2E_REMEDY}"
    if not any(shutil.which(name) for name in CHROMIUM_NAMES):
        return f"no Chromium on PATH: {CHROMIUM_REMEDY}"
    return ""


def _fuzz_missing() -> str:
    return "" if importlib.util.find_spec("schemathesis") else f"schemathesis is missing: {E2E_REMEDY}"


def pytest_collection_modifyitems(items):
    """Skip browser and fuzz tests that can't run here, saying what to install; with APFLOW_E2E_REQUIRED=1 they fail."""
    if os.environ.get("APFLOW_E2E_REQUIRED") == "1":
        return
    for name, missing in (("e2e", _e2e_missing()), ("fuzz", _fuzz_missing())):
        for item in items:
            if missing and item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """At the end nobody else has the database open: a thread of asgiref lives as long as the process."""
    yield
    if settings.POSTGRES:
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(CUT_OTHERS)


def _transactional(request) -> bool:
    marker = request.node.get_closest_marker("django_db")
    by_class = request.cls is not None and issubclass(request.cls, TransactionTestCase)
    return by_class or "transactional_db" in request.fixturenames or bool(marker and marker.kwargs.get("transaction"))


@pytest.fixture(autouse=True)
def _roles_and_archives(request, _django_db_marker):
    """A transactional test ends with a flush: it empties the groups of the migrations, and the guards would refuse to
    empty the tasks of an archived tree and the audit log. So put the first back before, thaw the second and empty the
    third after the test."""
    if not _transactional(request):
        yield
        return
    if "transactional_db" in request.fixturenames:
        request.getfixturevalue("transactional_db")
    if not Group.objects.exists():
        roles_install(apps)
    yield
    Tree.objects.exclude(archived_at=None).update(archived_at=None)
    forget_audit()
