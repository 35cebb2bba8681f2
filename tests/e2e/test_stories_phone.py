"""Every story on a phone: 390 pixels, by touch."""

from __future__ import annotations

import pytest

from tests.e2e import hands, stories

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def _trees(server):
    server.run_python(stories.MAKE)


@pytest.mark.parametrize("story", stories.STORIES, ids=lambda story: story.__name__)
def test_story(story, window, server):
    stories.play(story, hands.Phone, window, server)
