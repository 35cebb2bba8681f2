"""Where the command line keeps the address and the token: a file that only its owner can read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from orchestration.cli.failure import USAGE, Failure

URL, TOKEN = "APFLOWCTL_URL", "APFLOWCTL_TOKEN"
SIGN_IN = "sign in first: apflowctl login URL (or set APFLOWCTL_URL and APFLOWCTL_TOKEN)"


def path() -> Path:
    """The file."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "apflowctl" / "config.json"


def connection() -> tuple[str, str]:
    """Address and token, from the environment or else from the file. Raises Failure."""
    stored = _read()
    url, token = os.environ.get(URL) or stored.get("url"), os.environ.get(TOKEN)
    if token is None and url == stored.get("url"):  # a token goes to the server that it is for, and to no other
        token = stored.get("token")
    if not isinstance(url, str) or not isinstance(token, str) or not token:
        raise Failure(USAGE, SIGN_IN)
    return clean_url(url), clean_token(token)


def save(url: str, token: str) -> Path:
    """Keep them. The folder and the file are the user's alone from the start."""
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        json.dump({"url": url, "token": token}, stream)
    fresh.replace(file)
    return file


def clean_url(text: str) -> str:
    """The address without a slash at its end. Raises Failure."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and not parts.username and not parts.query
        good = good and parts.port != 0  # raises for a port that is none
    except ValueError:
        good = False
    if not good or not text.isprintable():
        raise Failure(USAGE, "expected an address such as http://localhost:8000")
    return text.rstrip("/")


def clean_token(text: str) -> str:
    """The token. Raises Failure."""
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise Failure(USAGE, "that is no token: make one on the tokens page, it begins with apf_")
    return token


def _read() -> dict[str, Any]:
    try:
        found = json.loads(path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
