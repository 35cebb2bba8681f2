"""One try to deliver: a POST through the same guard as the `http` executor, without redirects, bounded in all ways."""

from __future__ import annotations

import asyncio
import time

import httpx

from orchestration.conf import conf
from orchestration.executors.base import ExecutorError
from orchestration.executors.http import REDIRECTS, guarded_client
from orchestration.executors.http_guard import AllowList, GuardedBackend, check_url
from orchestration.services.webhook_sending import Answer, Sending

MAX_READ = 4096  # bytes of the answer


def post(sending: Sending) -> Answer:
    """What the receiver answered, or why it did not get it. For a thread without an event loop; raises nothing that
    the network may cause."""
    if sending.refused:
        return Answer(error=sending.refused, final=True)
    timeout_s = conf().webhook_timeout_s
    started = time.monotonic()
    try:
        code, excerpt = asyncio.run(_exchange(sending, timeout_s))
    except TimeoutError:
        return Answer(error=f"no answer within {timeout_s:g} s", duration_ms=_ms_since(started))
    except ExecutorError as error:
        return Answer(error=str(error), final=not error.retryable, duration_ms=_ms_since(started))
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError, ValueError) as error:
        return Answer(error=str(error) or type(error).__name__, duration_ms=_ms_since(started))
    complaint = "" if 200 <= code < 300 else f"the receiver answered {code}"
    if code in REDIRECTS:
        complaint = f"the receiver answered {code}: redirects are not followed, give the final address"
    return Answer(code, excerpt, _ms_since(started), complaint)


async def _exchange(sending: Sending, timeout_s: float) -> tuple[int, str]:
    settings = conf()
    allow = AllowList(settings.http_allow, settings.http_ports, own=settings.http_own, private=sending.private)
    url = check_url(sending.url, allow)
    async with asyncio.timeout(timeout_s), guarded_client(GuardedBackend(allow), timeout_s) as client:
        headers = {**sending.headers, "Accept-Encoding": "identity"}
        request = client.build_request("POST", url, headers=headers, content=sending.body.encode())
        response = await client.send(request, stream=True)
        try:
            return response.status_code, await _beginning(response)
        finally:
            await response.aclose()


async def _beginning(response: httpx.Response) -> str:
    """How the answer begins, as text; nothing of one that is packed."""
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        return ""
    content = b""
    async for part in response.aiter_raw(MAX_READ):
        content += part
        if len(content) >= MAX_READ:
            break
    return content[:MAX_READ].decode("utf-8", "replace")


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
