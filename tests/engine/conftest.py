from __future__ import annotations

import asyncio

import pytest

from orchestration.engine.children import ChildRunner
from tests.engine.children import OPTIONS


@pytest.fixture(scope="module")
def shared():
    """One fork server for the tests that leave it as it was: `shared(lambda runner: coroutine)`."""
    with asyncio.Runner() as loop:
        runner = loop.run(ChildRunner(**OPTIONS).start())
        yield lambda call: loop.run(call(runner))
        loop.run(runner.stop())
