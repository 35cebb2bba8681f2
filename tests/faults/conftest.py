from __future__ import annotations

import pytest

from tests.faults.support import Place, Template, nursery_of
from tests.support_processes import only_once


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    with nursery_of(tmp_path_factory.mktemp("nursery")) as nursery:
        yield nursery


@pytest.fixture(scope="session")
def template(nursery, tmp_path_factory):
    with only_once(tmp_path_factory, "template") as folder:
        return Template(folder, nursery)


@pytest.fixture
def make(nursery, template, tmp_path):
    """make(**variables): the installation of this test."""
    made = []

    def build(**variables):
        made.append(Place(tmp_path, nursery, template, variables).__enter__())
        return made[-1]

    yield build
    for place in made:
        place.__exit__(None, None, None)


@pytest.fixture
def place(make):
    return make()
