"""The keys that secrets are sealed with: never in the database, but in a file beside it or in the settings.

The first key seals, all of them open. The file is read again when it has changed, so that a rotation needs no restart.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from orchestration.domain.errors import Conflict
from orchestration.domain.secrets import SecretUnreadable

FILE = "secret_keys"  # in the data directory: one key a line, the newest first
type Stamp = tuple[int, int, int]

_lock = threading.Lock()
_known: tuple[Path, Stamp, tuple[str, ...]] | None = None


def key_file() -> Path:
    """Where the keys are kept unless the settings name them."""
    return Path(settings.DATA_DIR) / FILE


def keys_given() -> tuple[str, ...]:
    """The keys that the settings name (APFLOW_SECRET_KEYS); empty = those of the file."""
    return tuple(settings.SECRET_KEYS)


def keys() -> tuple[str, ...]:
    """All keys, the one that seals first; empty before the first secret. Raises OSError."""
    global _known
    if given := keys_given():
        return given
    path = key_file()
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            with _lock:
                if _known is None or _known[:2] != (path, stamp):
                    _known = (path, stamp, tuple(file.read().decode("ascii").split()))
                return _known[2]
    except FileNotFoundError:
        return ()


def keys_write(new: Sequence[str]) -> None:
    """Replace the file, at one moment, readable by this user alone."""
    path = key_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{FILE}.{os.getpid()}.{threading.get_ident()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write("".join(f"{key}\n" for key in new))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def key_new() -> str:
    """A fresh key."""
    return Fernet.generate_key().decode()


def seal(value: str) -> str:
    """*value*, unreadable without the keys. Effects: makes the first key."""
    return _fernet(keys() or _first()).encrypt(value.encode()).decode()


def unseal(sealed: str) -> str:
    """The inverse. Raises SecretUnreadable when none of the keys opens it."""
    try:
        return _fernet(keys()).decrypt(sealed.encode()).decode()
    except (InvalidToken, ValueError, OSError):
        raise SecretUnreadable(
            "a secret cannot be opened with the keys of this process: give every process the keys (APFLOW_SECRET_KEYS "
            f"or the file {FILE} of the data directory) that it was set with, or set it again"
        ) from None


def sealed_with_newest(sealed: str) -> bool:
    """Whether the first key opens it."""
    try:
        Fernet(keys()[0]).decrypt(sealed.encode())
    except (InvalidToken, IndexError):
        return False
    return True


def _fernet(found: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in found])


def _first() -> tuple[str, ...]:
    """The first key of this installation; of two processes that make one at a time, one wins."""
    made = key_new()
    path = key_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{FILE}.{os.getpid()}.{threading.get_ident()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{made}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    found = keys()
    if not found:
        raise Conflict(
            f"the file {FILE} of the data directory is empty: put its keys back, or delete it", code="no_key"
        )
    return found
