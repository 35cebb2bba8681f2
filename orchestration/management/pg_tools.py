"""PostgreSQL's own programs, on the database of this installation."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from django.db import connection
from psycopg.conninfo import make_conninfo

DEBIAN = "/usr/lib/postgresql"
LIBPQ = frozenset({
    "host", "port", "dbname", "user", "connect_timeout", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl",
    "channel_binding", "gssencmode", "target_session_attrs", "service", "passfile",
})  # fmt: skip


class ToolFailed(Exception):
    """A program is missing or has failed; the text says what to do."""


def dump(path: Path) -> None:
    """A consistent copy of the database is in *path*, in the format of pg_restore, safely on the disk.

    Raises ToolFailed, OSError.
    """
    _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={path}")


def _run(program: str, *arguments: str) -> None:
    parameters = connection.get_connection_params()
    with tempfile.NamedTemporaryFile("w", prefix="apflow-pgpass-") as passwords:  # mode 600, unlike a command line
        wanted = {name: value for name, value in parameters.items() if name in LIBPQ}
        if password := parameters.get("password"):
            quoted = str(password).replace("\\", "\\\\").replace(":", "\\:")
            passwords.write(f"*:*:*:*:{quoted}\n")
            passwords.flush()
            wanted["passfile"] = passwords.name
        command = [_program(program), *arguments, f"--dbname={make_conninfo(**wanted)}", "--no-password"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolFailed(f"{program} failed: {done.stderr.strip()[-1000:]}")


def _program(name: str) -> str:
    """Its path. Of several versions the server's own or the next newer one: an older one refuses."""
    if found := shutil.which(name):
        return found
    places = {int(p.name): p / "bin" / name for p in Path(DEBIAN).glob("*") if p.name.isdigit()}
    fitting = sorted(version for version, place in places.items() if place.exists())
    server = connection.pg_version // 10000  # type: ignore[attr-defined]
    for version in fitting:
        if version >= server:
            return str(places[version])
    raise ToolFailed(f"{name} of PostgreSQL {server} or newer is not on PATH: install postgresql-client-{server}")
