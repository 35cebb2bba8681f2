"""Settings of a test run: the real ones, on a data directory and a database of this process alone.

APFLOW_TEST_DATABASE=postgres (`manage.py test --postgres` sets it): on a PostgreSQL server of this run alone.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from tests.support_postgres import SHARED, shared

if "APFLOW_TEST_DIR" not in os.environ:  # set: a worker of pytest-xdist, or a process that a test has started
    os.environ["APFLOW_TEST_DIR"] = tempfile.mkdtemp(prefix="apflow-test-")
    atexit.register(shutil.rmtree, os.environ["APFLOW_TEST_DIR"], ignore_errors=True)

KEPT = {"APFLOW_TEST_DIR", "APFLOW_TEST_DATABASE", SHARED, "APFLOW_E2E_REQUIRED"}
for name in [n for n in os.environ if (n.startswith("APFLOW_") and n not in KEPT) or n == "DATABASE_URL"]:
    del os.environ[name]  # a developer's own settings must not decide what is tested
data_dir = Path(os.environ["APFLOW_TEST_DIR"]) / os.environ.get("PYTEST_XDIST_WORKER", "main")
os.environ["APFLOW_DATA_DIR"] = str(data_dir)
os.environ["APFLOW_SQLITE_SYNCHRONOUS"] = "NORMAL"
# a process started from a test has the real settings, with the variables above
os.environ["DJANGO_SETTINGS_MODULE"] = "apflow_site.settings"
POSTGRES = os.environ.get("APFLOW_TEST_DATABASE", "sqlite") == "postgres"
if POSTGRES:
    os.environ["DATABASE_URL"] = shared().url("apflow")

from apflow_site.settings import *  # noqa: E402, F403
from apflow_site.settings import DATABASES  # noqa: E402

os.environ.pop("DATABASE_URL", None)  # a process started from a test asks for a database: tests/support_processes.py
if not POSTGRES:
    # a file as in production: an in-memory database would share one connection between threads and know no WAL
    DATABASES["default"]["TEST"] = {"NAME": str(data_dir / "test.sqlite3")}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
