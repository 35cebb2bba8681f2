from __future__ import annotations

import pytest

from tests.scaleout.support import Site, nursery_of
from tests.support_postgres import require


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    require()
    with nursery_of(tmp_path_factory.mktemp("nursery")) as nursery:
        yield nursery


@pytest.fixture
def site(tmp_path, nursery):
    with Site(tmp_path, nursery) as site:
        yield site
        site.ask("verify")
