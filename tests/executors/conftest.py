from __future__ import annotations

import asyncio
import json

import pytest

from orchestration.executors import ExecutionContext, ExecutorError
from orchestration.executors.http import Http
from tests.executors.web import NAMES, listening, lookup


@pytest.fixture
def call(settings):
    """`call(inputs)` -> result, listener; {port} in a URL is the listener's, which may be reached by two names only."""

    def go(inputs, addresses=None, **more):
        async def main():
            async with listening() as listener:
                await asyncio.sleep(0)
                allow = [f"{name}:{listener.port}" for name in NAMES]
                ports = [*settings.ORCHESTRATION["http_ports"], str(listener.port)]
                settings.ORCHESTRATION = settings.ORCHESTRATION | {"http_allow": allow, "http_ports": ports}
                executor = Http()

                async def resolver(host, port):
                    found = (addresses or {}).get(host) or (["127.0.0.1"] if host in NAMES else None)
                    return found or [host] if found or host[0].isdigit() or ":" in host else lookup(host)

                executor.resolver = resolver
                text = json.loads(json.dumps(inputs).replace("{port}", str(listener.port)))
                try:
                    known = {"params": {}, "idempotency_key": "1:a", "private_network": True}
                    found = await executor.run(ExecutionContext(inputs=text, **known, **more))
                except ExecutorError as error:
                    return error, listener
                return found, listener

        return asyncio.run(main())

    return go
