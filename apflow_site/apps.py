"""Apps of others that are to be told something."""

from __future__ import annotations

from django.apps import AppConfig


class DaphneConfig(AppConfig):
    """Daphne's commands. Its own configuration imports the server, and with it all of Twisted: a third of the time that
    every command, engine and fork server takes to start. Who serves imports it: orchestration/engine/server.py."""

    name = "daphne"
