"""WebSockets only from our own pages: browsers send cookies with a socket that any site opens, so Origin decides."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

PORTS = {"http": 80, "https": 443}


class SameOrigin:
    """ASGI wrapper: passes a socket on if its Origin is exactly the page's own, or one of CSRF_TRUSTED_ORIGINS.

    Exact means scheme, host and port; the host must be an allowed one too. Anything else, a missing or doubled Origin
    included, is refused before the handshake (403).
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        application = self.application if _is_ours(scope) else WebsocketDenier()
        return await application(scope, receive, send)


def _is_ours(scope: Any) -> bool:
    origins, hosts = _headers(scope, b"origin"), _headers(scope, b"host")
    if len(origins) != 1 or len(hosts) != 1:
        return False
    if not validate_host(split_domain_port(hosts[0])[0], _allowed_hosts()):
        return False
    origin = _parts(origins[0])
    trusted = [_parts(text) for text in settings.CSRF_TRUSTED_ORIGINS]
    return origin is not None and origin in [_parts(f"{_scheme(scope)}://{hosts[0]}"), *trusted]


def _allowed_hosts() -> list[str]:
    if settings.DEBUG and not settings.ALLOWED_HOSTS:
        return [".localhost", "127.0.0.1", "[::1]"]
    return settings.ALLOWED_HOSTS


def _headers(scope: Any, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _scheme(scope: Any) -> str:
    if settings.SECURE_PROXY_SSL_HEADER:
        name, secure = settings.SECURE_PROXY_SSL_HEADER
        sent = _headers(scope, name.removeprefix("HTTP_").replace("_", "-").lower().encode())
        if sent:
            return "https" if sent[0].split(",")[0].strip() == secure else "http"
    return "https" if scope.get("scheme") == "wss" else "http"


def _parts(url: str) -> tuple[str, str, int] | None:
    """(scheme, host, port) of an origin; None if it is anything else ("null", a path, a user, no port number)."""
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        return None
    if split.scheme not in PORTS or not split.hostname or split.path or split.query or split.fragment or "@" in url:
        return None
    return split.scheme, split.hostname, port or PORTS[split.scheme]
