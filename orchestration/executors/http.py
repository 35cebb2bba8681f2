"""`http`: one request to a web service, guarded against reaching private networks."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import ssl
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from orchestration.conf import conf
from orchestration.domain.errors import Invalid
from orchestration.domain.json_gate import parse_json, safe_text
from orchestration.domain.secrets import Masker
from orchestration.executors.base import ExecutionContext, Executor, ExecutorError
from orchestration.executors.http_guard import AllowList, GuardedBackend, Resolver, check_url
from orchestration.executors.http_schema import HTTP_INPUTS, HTTP_OUTPUT, METHODS

MAX_RESPONSE = 10 * 1024 * 1024  # bytes, after decoding
MAX_REDIRECTS = 5
DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S = 30.0, 3600.0
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"})
SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Http(Executor):
    id = "http"
    name = "HTTP request"
    description = (
        "Sends one request to a web service and returns its answer. Any 2xx or 3xx counts as success. Private networks "
        "are out of reach unless the administrator has allowed them."
    )
    aliases = ("rest_executor", "http_executor")
    input_schema = HTTP_INPUTS
    output_schema = HTTP_OUTPUT
    isolated = False
    resolver: Resolver | None = None  # tests put another one here

    async def run(self, ctx: ExecutionContext) -> dict[str, Any]:
        timeout_s = _timeout(ctx.inputs.get("timeout_s", DEFAULT_TIMEOUT_S))
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(ctx, timeout_s)
        except TimeoutError:
            raise ExecutorError(f"total deadline of {timeout_s:g} s passed", code="timeout") from None
        except httpx.HTTPError as error:
            message = str(error) or type(error).__name__
            raise ExecutorError(f"request failed: {safe_text(message, 500)}", code="http_error") from error

    async def _exchange(self, ctx: ExecutionContext, timeout_s: float) -> dict[str, Any]:
        settings = conf()
        allow = AllowList(settings.http_allow, settings.http_ports, own=settings.http_own, private=ctx.private_network)
        started = time.monotonic()
        async with guarded_client(GuardedBackend(allow, self.resolver), timeout_s) as client:
            request = _first_request(client, ctx, allow)
            method = request.method
            response = await _follow(client, request, allow, Confidential(_secret_headers(ctx.inputs), ctx.secrets))
            content = await _read(response)
        found = _answer(response, content) | {
            "method": method,
            "elapsed_ms": round((time.monotonic() - started) * 1000),
        }
        _check_status(ctx, found)
        return found


@dataclass(frozen=True, slots=True)
class Confidential:
    """What must not reach another host than the one that it was meant for."""

    headers: frozenset[str]  # by name
    values: frozenset[str]  # secrets, wherever they stand

    def kept(self, headers: dict[str, str]) -> dict[str, str]:
        """Those of *headers* that any host may see."""
        return {name: text for name, text in headers.items() if name.lower() not in self.headers and not self.in_(text)}

    def in_(self, text: str) -> bool:
        """Whether *text* holds a secret."""
        return bool(self.values) and Masker(self.values).text(text) != text


async def _follow(
    client: httpx.AsyncClient, request: httpx.Request, allow: AllowList, confidential: Confidential
) -> httpx.Response:
    for _ in range(MAX_REDIRECTS + 1):
        response = await client.send(request, stream=True)
        if response.status_code not in REDIRECTS or "location" not in response.headers:
            return response
        await response.aclose()
        request = _next_request(client, response, allow, confidential)
    raise ExecutorError(f"more than {MAX_REDIRECTS} redirects", code="too_many_redirects", retryable=False)


def guarded_client(backend: GuardedBackend, timeout_s: float) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(verify=_tls(), trust_env=False)
    # httpx has no public way to say where a connection goes; only this keeps host name, TLS name and address apart
    transport._pool = httpcore.AsyncConnectionPool(ssl_context=_tls(), network_backend=backend, max_connections=1)
    headers = {"Accept-Encoding": "gzip", "User-Agent": "apflow"}
    return httpx.AsyncClient(
        transport=transport, headers=headers, trust_env=False, follow_redirects=False, timeout=timeout_s
    )


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _timeout(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given <= MAX_TIMEOUT_S:
        raise _invalid(f"timeout_s: give more than 0 and at most {MAX_TIMEOUT_S:g} seconds")
    return float(given)


def _first_request(client: httpx.AsyncClient, ctx: ExecutionContext, allow: AllowList) -> httpx.Request:
    inputs = ctx.inputs
    url = check_url(inputs.get("url"), allow)
    method = str(inputs.get("method", "GET")).upper()
    if method not in METHODS:
        raise _invalid(f"method: choose one of {', '.join(METHODS)}")
    headers = _headers(inputs.get("headers") or {})
    params = dict(inputs.get("params") or {})
    _authorise(inputs.get("auth") or {}, headers, params)
    if method in WRITES and ctx.idempotency_key and "idempotency-key" not in {name.lower() for name in headers}:
        headers["Idempotency-Key"] = ctx.idempotency_key
    request = client.build_request(
        method, url.copy_merge_params(params) if params else url, headers=headers, **_body(inputs)
    )
    check_url(str(request.url), allow)
    return request


def _body(inputs: dict[str, Any]) -> dict[str, Any]:
    given = [name for name in ("json", "data", "text") if inputs.get(name) is not None]
    if len(given) > 1:
        raise _invalid(f"{', '.join(given)}: give only one of them")
    if not given:
        return {}
    value = inputs[given[0]]
    if given[0] == "text":
        return {"content": str(value).encode()}
    if given[0] == "data" and not isinstance(value, dict):
        raise _invalid("data: give an object of form fields")
    return {given[0]: value}


def _headers(given: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        raise _invalid("headers: give an object")
    for name, value in given.items():
        if not isinstance(value, str | int | float):
            raise _invalid(f"headers.{safe_text(name, 60)}: give a text")
        if any(character in f"{name}{value}" for character in "\r\n\0"):
            raise _invalid("headers: line breaks are not allowed", "invalid_header")
        if (
            not name
            or not name.isascii()
            or any(character <= " " or character in ':()<>@,;"/[]?={}' for character in name)
        ):
            raise _invalid(f"headers: '{safe_text(name, 60)}' is no header name", "invalid_header")
        if name.lower() in OWN_HEADERS:
            raise _invalid(f"headers: '{name}' is set by the engine itself", "invalid_header")
    return {name: str(value) for name, value in given.items()}


def _authorise(auth: Any, headers: dict[str, str], params: dict[str, Any]) -> None:
    if not isinstance(auth, dict):
        raise _invalid("auth: give an object with a type")
    kind = auth.get("type", "")
    if kind == "bearer":
        found = {"Authorization": f"Bearer {auth.get('token', '')}"}
    elif kind == "basic":
        pair = f"{auth.get('username', '')}:{auth.get('password', '')}"
        found = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    elif kind == "apikey" and auth.get("in") == "query":
        params[_key_name(auth)] = str(auth.get("value", ""))
        return
    elif kind == "apikey":
        found = {_key_name(auth): str(auth.get("value", ""))}
    elif not auth:
        return
    else:
        raise _invalid("auth.type: choose bearer, basic or apikey")
    headers.update(_headers(found))


def _key_name(auth: dict[str, Any]) -> str:
    return str(auth.get("name") or auth.get("key") or "X-API-Key")


def _secret_headers(inputs: dict[str, Any]) -> frozenset[str]:
    auth = inputs.get("auth") or {}
    return SECRET_HEADERS | ({_key_name(auth).lower()} if auth.get("type") == "apikey" else set())


def _next_request(
    client: httpx.AsyncClient, response: httpx.Response, allow: AllowList, confidential: Confidential
) -> httpx.Request:
    before = response.request
    try:
        joined = before.url.join(response.headers["location"])
    except (httpx.InvalidURL, ValueError):
        raise ExecutorError("redirect to an invalid URL", code="invalid_url", retryable=False) from None
    url = check_url(str(joined), allow)
    headers = {name: value for name, value in before.headers.items() if name.lower() not in OWN_HEADERS}
    keeps_body = response.status_code in {307, 308} or before.method in {"GET", "HEAD"}
    if (url.scheme, url.host, url.port) != (before.url.scheme, before.url.host, before.url.port):
        headers = confidential.kept(headers)
        if confidential.in_(str(url)) or (keeps_body and confidential.in_(before.content.decode("utf-8", "replace"))):
            message = f"redirect to another host, '{safe_text(url.host, 200)}', which would learn a secret"
            raise ExecutorError(message, code="blocked_redirect", retryable=False)
    if not keeps_body:
        headers.pop("content-type", None)
        return client.build_request("GET", url, headers=headers)
    return client.build_request(before.method, url, headers=headers, content=before.content)


async def _read(response: httpx.Response) -> bytes:
    decode = _decoder(response.headers.get("content-encoding", ""))
    content = bytearray()
    try:
        async for part in response.aiter_raw(64 * 1024):
            content += decode(part, MAX_RESPONSE + 1 - len(content))
            if len(content) > MAX_RESPONSE:
                raise ExecutorError("response larger than 10 MiB decoded", code="response_too_large", retryable=False)
    except zlib.error as error:
        raise ExecutorError(f"response is not what its encoding says: {error}", code="http_error") from error
    finally:
        await response.aclose()
    return bytes(content)


def _decoder(encoding: str) -> Callable[[bytes, int], bytes]:
    """How to decode one piece to at most so many bytes: a small piece may stand for gigabytes."""
    if encoding.strip().lower() in {"", "identity"}:
        return lambda piece, _most: piece
    if encoding.strip().lower() in {"gzip", "x-gzip", "deflate"}:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress
    raise ExecutorError(f"unknown content encoding '{safe_text(encoding, 60)}'", code="http_error", retryable=False)


def _answer(response: httpx.Response, content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {
        "success": response.status_code < 400,
        "status_code": response.status_code,
        "url": safe_text(str(response.url)),
        "headers": {safe_text(name): safe_text(value) for name, value in response.headers.items()},
    }
    if "json" in response.headers.get("content-type", "").lower() and content:
        try:
            return found | {"json": parse_json(content, max_bytes=MAX_RESPONSE)}
        except Invalid:
            pass  # shown as text: the operator sees what came instead
    try:
        return found | {"text": safe_text(content.decode(response.encoding or "utf-8", "replace"))}
    except (LookupError, ValueError):
        return found | {"text": safe_text(content.decode("utf-8", "replace"))}


def _check_status(ctx: ExecutionContext, found: dict[str, Any]) -> None:
    expected = ctx.inputs.get("expect_status")
    listed = [expected] if isinstance(expected, int) else list(expected or [])
    good = found["status_code"] in listed if listed else found["success"]
    if good or ctx.inputs.get("allow_errors"):
        return
    body = found.get("text", "") or (json.dumps(found["json"], ensure_ascii=False) if "json" in found else "")
    if body:
        ctx.log(safe_text(body, 4096))
    url = found["url"].partition("?")[0]
    status = found["status_code"]
    retryable = status >= 500 or status in {408, 425, 429}
    raise ExecutorError(f"{found['method']} {url} answered {status}", code="http_status", retryable=retryable)


def _invalid(message: str, code: str = "invalid_inputs") -> ExecutorError:
    return ExecutorError(message, code=code, retryable=False)
