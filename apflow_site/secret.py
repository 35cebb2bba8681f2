"""The signing key: from the environment in production, else made once and kept in the data directory."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from apflow_site.env import env_list, env_str

MIN_LENGTH, MIN_DIFFERENT = 50, 5  # characters, as in Django's own deployment check


def secret_key(data_dir: Path, *, production: bool) -> str:
    """The signing key of this installation.

    Raises ImproperlyConfigured in production when APFLOW_SECRET_KEY is missing or short, and anywhere when the
    key file can be read by others. Effects: outside production the first call writes <data_dir>/secret_key (mode 600).
    """
    key = env_str("APFLOW_SECRET_KEY")
    if key or production:
        if len(key) < MIN_LENGTH or len(set(key)) < MIN_DIFFERENT:
            raise ImproperlyConfigured(f"APFLOW_SECRET_KEY: set at least {MIN_LENGTH} random characters")
        return key
    path = data_dir / "secret_key"
    if not path.exists():
        _write_once(path)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise ImproperlyConfigured(f"{path} can be read by others: chmod 600 it, and delete it to get a new key")
    return path.read_text().strip()


def secret_keys() -> list[str]:
    """The keys that the secrets of tasks are sealed with, the newest first; empty: those of a file.

    Raises ImproperlyConfigured for one that is no key.
    """
    found = env_list("APFLOW_SECRET_KEYS")
    for key in found:
        try:
            Fernet(key)
        except ValueError:
            hint = "write keys as `manage.py rotate_secrets --new-key` prints them, separated by commas"
            raise ImproperlyConfigured(f"APFLOW_SECRET_KEYS: {hint}") from None
    return found


def _write_once(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(64))
    try:
        os.link(draft, path)  # never replaces: of two processes that start at once, both read the first one's key
    except FileExistsError:
        pass
    finally:
        draft.unlink()
