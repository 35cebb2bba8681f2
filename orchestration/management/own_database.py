"""A database for one measurement or play, beside that of the settings."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlencode

from django.db import connection


@contextmanager
def new_database(prefix: str) -> Iterator[str]:
    """DATABASE_URL of a new database on the server that the settings name; it is gone afterwards.

    Only on PostgreSQL. Raises DatabaseError, for instance when the user may not make one.
    """
    name = prefix + secrets.token_hex(6)
    quoted = connection.ops.quote_name(name)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {quoted}")
    try:
        yield address_of(name)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {quoted} WITH (FORCE)")


def address_of(name: str) -> str:
    """DATABASE_URL of database *name* on the PostgreSQL server that the settings name."""
    place = connection.settings_dict
    user, password, host = (quote(str(place[key]), safe="") for key in ("USER", "PASSWORD", "HOST"))
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    port = f":{place['PORT']}" if place["PORT"] else ""
    options = {key: value for key, value in place["OPTIONS"].items() if isinstance(value, str)}
    return f"postgres://{login}{host}{port}/{name}?{urlencode(options, quote_via=quote)}"
