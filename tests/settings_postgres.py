"""Settings of a test run on PostgreSQL: `manage.py test --postgres`."""

from __future__ import annotations

import os

os.environ["APFLOW_TEST_DATABASE"] = "postgres"

from tests.settings import *  # noqa: F403
