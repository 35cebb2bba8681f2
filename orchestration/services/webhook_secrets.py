"""The secrets that webhooks sign with: never stored, but derived from a stored seed and the signing key of the site."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from django.conf import settings

PREFIX = "whsec_"
SHOWN = len(PREFIX) + 4  # characters kept to recognise a secret by
PURPOSE = b"apflow.webhook:"
MARK = 12  # hex digits by which the right signing key is found again


def secret_new() -> tuple[str, str]:
    """A seed to store, and its secret."""
    nonce = secrets.token_urlsafe(32)
    secret = _derived(settings.SECRET_KEY, nonce)
    return f"{nonce}.{_mark(secret)}", secret


def secret_of(seed: str) -> str:
    """The secret of *seed*; "" when the site has another signing key now, which SECRET_KEY_FALLBACKS does not name."""
    nonce, _, mark = seed.partition(".")
    for key in map(str, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)):
        secret = _derived(key, nonce)
        if hmac.compare_digest(_mark(secret), mark):
            return secret
    return ""


def _derived(key: str, nonce: str) -> str:
    digest = hmac.new(key.encode(), PURPOSE + nonce.encode(), hashlib.sha256).digest()
    return PREFIX + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _mark(secret: str) -> str:
    return hashlib.sha256(b"mark:" + secret.encode()).hexdigest()[:MARK]
