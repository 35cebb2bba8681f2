"""Which database: a file of SQLite in the data directory, or what DATABASE_URL names."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

VARIABLE = "DATABASE_URL"
EXAMPLES = "write postgres://user:password@host:5432/name or sqlite:///path/of/file"
POSTGRES = frozenset({"postgres", "postgresql"})
WAIT_S = 20.0  # for a lock of SQLite, unless its address says otherwise, and for a free connection of the pool
MAX_WAIT_S = 600.0
READ_ONLY = ("default_transaction_read_only", "in_hot_standby")
RETRY_S = 5  # tries of the pool to connect come ever more rarely, until it begins anew after this time
CONNECT_S = "10"
MIN_POOL = 5  # the engine has up to three of them all the time
# prepared statements (orchestration/driver.py) are planned once; of short arrays PostgreSQL would think each one new
SESSION = f"-c lock_timeout={WAIT_S:.0f}s -c plan_cache_mode=force_generic_plan"
# what libpq understands; others would be refused at the first query, without the name of the variable
OPTIONS = frozenset({
    "application_name", "channel_binding", "connect_timeout", "gssencmode", "keepalives", "keepalives_count",
    "keepalives_idle", "keepalives_interval", "options", "passfile", "require_auth", "service", "sslcert", "sslcrl",
    "sslkey", "sslmode", "sslnegotiation", "sslpassword", "sslrootcert", "target_session_attrs", "tcp_user_timeout",
})  # fmt: skip


def database(url: str, data_dir: Path, *, pool: int, synchronous: str) -> dict[str, Any]:
    """The entry of DATABASES. *pool*: most connections of one process, 0 = no pool; *synchronous*: of SQLite.

    Raises ImproperlyConfigured naming DATABASE_URL and the remedy; it never shows the password.
    """
    if not url:
        return _sqlite(data_dir / "apflow.sqlite3", synchronous, WAIT_S)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        message = "the port is no number, or the address cannot be read (a ':', '/', '@', '?' or '%' in the password is"
        raise ImproperlyConfigured(f"{VARIABLE}: {message} written %3A, %2F, %40, %3F, %25)") from None
    if parts.scheme == "sqlite":
        return _sqlite(_file(parts.netloc, parts.path), synchronous, _patience(parts.query))
    if parts.scheme not in POSTGRES:
        raise ImproperlyConfigured(f"{VARIABLE}: '{parts.scheme[:20]}' is no known database: {EXAMPLES}")
    name = unquote(parts.path[1:])
    if not name or "/" in name:
        raise ImproperlyConfigured(f"{VARIABLE}: the name of the database is missing or has a '/': {EXAMPLES}")
    place = {
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or "") if "%" not in parts.netloc else unquote(_host(parts.netloc)),
        "PORT": str(port or ""),
    }
    return _postgresql(name, place, _options(parts.query), pool)


def _sqlite(path: Path, synchronous: str, wait_s: float) -> dict[str, Any]:
    return {
        "ENGINE": "orchestration.sqlite3",
        "NAME": path,
        # IMMEDIATE: a transaction that reads first and writes later would fail at once with "database is locked"
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": wait_s,
            "init_command": (
                # no mmap_size: it makes nothing faster here, and a disk that cannot be read would end the process;
                # 4 MB of pages for each connection: more makes nothing faster either
                f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; PRAGMA cache_size=-4000; "
                # a checkpoint every 10 MB, not 4: half as many steps have to wait for one
                "PRAGMA journal_size_limit=27103364; PRAGMA wal_autocheckpoint=2500"
            ),
        },
    }


def _postgresql(name: str, place: dict[str, str], options: dict[str, Any], pool: int) -> dict[str, Any]:
    if pool:
        sizes = {"min_size": min(2, pool), "max_size": pool}
        times = {"timeout": WAIT_S, "reconnect_timeout": RETRY_S, "max_idle": 300}
        options["pool"] = sizes | times | {"reset": _part_with_read_only}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        **place,
        "CONN_MAX_AGE": 0,  # a connection goes back to the pool with the end of each request
        "CONN_HEALTH_CHECKS": True,  # a restart of the server is not seen by the requests after it
        "OPTIONS": options,
    }


def _part_with_read_only(session: Any) -> None:
    """Called with a connection that comes back to the pool. One that began while the database took no writes would take
    none ever after; the server tells its clients unasked, so knowing it costs nothing."""
    if any(session.info.parameter_status(name) == "on" for name in READ_ONLY):
        session.close()


def _patience(query: str) -> float:
    """Seconds to wait for a lock of SQLite: `?timeout=` in its address."""
    options = dict(parse_qsl(query, keep_blank_values=True))
    text = options.pop("timeout", str(WAIT_S))
    if options:
        raise ImproperlyConfigured(f"{VARIABLE}: unknown option '{min(options)[:40]}' for SQLite: use timeout")
    try:
        wait_s = float(text)
    except ValueError:
        wait_s = 0.0
    if not (isfinite(wait_s) and 0 < wait_s <= MAX_WAIT_S):
        raise ImproperlyConfigured(f"{VARIABLE}: timeout is a number of seconds over 0, at most {MAX_WAIT_S:g}")
    return wait_s


def _options(query: str) -> dict[str, Any]:
    options: dict[str, Any] = {"application_name": "apflow", "connect_timeout": CONNECT_S, "options": SESSION}
    options |= parse_qsl(query, keep_blank_values=True)
    unknown = sorted(options.keys() - OPTIONS)
    if unknown:
        raise ImproperlyConfigured(f"{VARIABLE}: unknown option '{unknown[0][:40]}': use {', '.join(sorted(OPTIONS))}")
    return options


def _host(netloc: str) -> str:
    """Unlike urlsplit's: in the case that it was written in. A folder with a socket is one with %2F."""
    place = netloc.rpartition("@")[2]
    return place.rpartition("]")[0][1:] if place.startswith("[") else place.partition(":")[0]


def _file(host: str, path: str) -> Path:
    if host or len(path) < 2:
        raise ImproperlyConfigured(f"{VARIABLE}: write sqlite:///path/of/file (three slashes; four for /absolute)")
    return Path(unquote(path[1:])).resolve()
