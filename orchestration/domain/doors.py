"""The doors of the server, told apart by the address of a request."""

from __future__ import annotations

PAGE, RPC = "page", "apflow"
DOORS = {"api": "api", "apflow": "apflow", "hooks": "hooks", "admin": "admin"}
"""First part of the path -> door. Everything else is a page."""

PROGRAMS = frozenset({"api", "apflow", "hooks"})
"""Doors that answer in JSON, also when they refuse."""


def door_of(path: str) -> str:
    """The door that a request to *path* came by."""
    return DOORS.get(path.lstrip("/").partition("/")[0], PAGE)
