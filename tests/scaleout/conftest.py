from __future__ import annotations

import pytest

from tests.scaleout.support import Site
from tests.support_postgres import require


@pytest.fixture
def site(tmp_path):
    require()
    with Site(tmp_path) as site:
        yield site
        site.ask("verify")
