"""The file of SQLite: there, whole, writable and still the same one, or nobody may go on as if nothing had happened.

While this process has a connection, nothing here may open the file: closing any descriptor of it gives back the locks
that SQLite holds on it (they are POSIX's), and the next writer damages the database.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections

MARK = "database.made"  # in the data directory: the path of the file that was made there
MAGIC = b"SQLite format 3\0"
HEADER = 32  # bytes, of which 16-17 are the size of a page and 28-31 their number
LARGEST = 65536  # bytes of a page, stored as 1
GONE = 4  # exit code
REMEDY = (
    "Nothing was changed. Put the file back or restore a backup (docs/operations.md); to begin anew with an empty "
    "database, delete {mark} too."
)


class DatabaseLost(Exception):
    """The file of the database is not what it was; the text says what to do."""


def path_of() -> Path | None:
    """The file; None where the database is no file."""
    return Path(str(connection.settings_dict["NAME"])) if connection.vendor == "sqlite" else None


def check() -> None:
    """Raises DatabaseLost when a file that was there before is missing, empty, cut short, no database or read-only.

    To be called before there are other threads. Effects: closes the connection.
    """
    path = path_of()
    if path is None:
        return
    connection.close()
    mark = _mark()
    made = mark.exists() and mark.read_text().strip() == str(path)
    if problem := _problem(path, made=made):
        raise DatabaseLost(f"{problem} {REMEDY.format(mark=mark)}" if made else problem)


def remember() -> None:
    """From now on a missing file is a loss, and not a first start.

    Effects: a small file in the data directory; new connections of this process open the file and never make one.
    """
    path, mark = path_of(), _mark()
    if path is None:
        return
    connections.settings[DEFAULT_DB_ALIAS]["OPTIONS"]["database"] = f"file:{quote(str(path))}?mode=rw"
    if not (mark.exists() and mark.read_text().strip() == str(path)):
        mark.write_text(f"{path}\n")


class Watch:
    """Call it now and then: what has happened to the file since it was made, or ""."""

    def __init__(self) -> None:
        self._path = path_of()
        self._identity = _identity(self._path)

    def __call__(self) -> str:
        if self._path is None:
            return ""
        now = _identity(self._path)
        if now == self._identity and self._path.stat().st_size:
            return ""
        happened = "was deleted" if now is None else "was replaced by another file"
        if now == self._identity:
            happened = "was emptied"
        text = f"The database {self._path} {happened} while it was in use: what is written now would be lost. Stopped."
        return f"{text} {REMEDY.format(mark=_mark())}"


def _mark() -> Path:
    return Path(settings.DATA_DIR) / MARK


def _problem(path: Path, *, made: bool) -> str:
    if not path.exists():
        return f"The database {path} is gone." if made else ""
    if path.stat().st_size == 0:
        return f"The database {path} is empty." if made else ""
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        return f"The database {path}, or its directory, is read-only: allow this user to write there."
    with path.open("rb") as file:
        if not file.read(len(MAGIC)).startswith(MAGIC):
            return f"{path} is no SQLite database: another file lies in its place."
    return _cut_short(path)


def _cut_short(path: Path) -> str:
    """A file has at least the pages that its first one counts."""
    try:
        with path.open("rb") as file:
            head = file.read(HEADER)
        size = path.stat().st_size
    except OSError as error:
        return f"The database {path} cannot be read: {error}."
    if len(head) < HEADER:
        return f"The database {path} was cut short to {size} bytes."
    page = int.from_bytes(head[16:18], "big")
    whole = int.from_bytes(head[28:32], "big") * (LARGEST if page == 1 else page)
    return f"The database {path} was cut short: {size} of {whole} bytes are there." if size < whole else ""


def _identity(path: Path | None) -> tuple[int, int] | None:
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_dev, found.st_ino)
