from __future__ import annotations

import pytest

from tests.webhooks.support import allow, receiving


@pytest.fixture
def receiver(settings):
    """A receiver that webhooks may reach; failed deliveries are tried again after 0.05 s, three times."""
    with receiving() as found:
        place = f"127.0.0.1:{found.port}"
        allow(settings, place, webhook_pauses_s=[0.05] * 3, webhook_failures=2, webhook_timeout_s=2.0)
        yield found
