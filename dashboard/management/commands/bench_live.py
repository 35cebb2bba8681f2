"""`manage.py bench_live`: how fast changes reach those who watch, and what watching costs."""

from __future__ import annotations

import json
from argparse import SUPPRESS, ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dashboard.bench.live import PARTS, Wish, measure_live
from dashboard.bench.live_server import serve
from dashboard.bench.live_site import opened_site
from dashboard.bench.tables import text_of
from orchestration.management.bench_apart import measured_apart, prepare_inside

TIMEOUT_S = 1800
LIMITS = {"viewers": (2, 1000), "seconds": (2, 100), "tasks": (20, 1000), "rounds": (1, 100), "reconnects": (1, 1000)}


class Command(BaseCommand):
    help = "Measure live views with many viewers, on a server and a database of its own in a temporary folder."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        usual = Wish()
        parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between (default: %(default)s)")
        parser.add_argument("--viewers", type=int, default=usual.viewers, help="of a run (default: %(default)s)")
        parser.add_argument("--seconds", type=float, default=usual.seconds, help="of a part (default: %(default)s)")
        parser.add_argument("--tasks", type=int, default=usual.tasks, help="of the W3 run (default: %(default)s)")
        parser.add_argument("--rounds", type=int, default=usual.rounds, help="of the W3 run (default: %(default)s)")
        parser.add_argument("--reconnects", type=int, default=usual.reconnects, help="at once (default: %(default)s)")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
        parser.add_argument("--inside", help=SUPPRESS)  # the folder: measure in this process
        parser.add_argument("--serve", type=int, help=SUPPRESS)  # the port: be the server that is measured

    def handle(self, *, inside: str | None, serve: int | None, **options: Any) -> None:
        parts = options["only"].split(",")
        _check(parts, options)
        if serve is not None:
            be_server(serve)
        elif inside is not None:
            prepare_inside(inside)
            with opened_site() as site:
                wish = Wish(**{name: options[name] for name in LIMITS})
                self.stdout.write(json.dumps(measure_live(site, wish, parts)))
        else:
            arguments = ["--only", options["only"]]
            for name in LIMITS:
                arguments += [f"--{name}", str(options[name])]
            figures = measured_apart("bench_live", arguments, timeout_s=TIMEOUT_S, sqlite=True)
            self.stdout.write(json.dumps(figures) if options["json"] else text_of(figures))


def be_server(port: int) -> None:
    """See `live_server`."""
    serve(port)


def _check(parts: list[str], options: dict[str, Any]) -> None:
    if unknown := [part for part in parts if part not in PARTS]:
        raise CommandError(f"--only: no part {unknown[0][:40]!r}; known: {', '.join(PARTS)}", returncode=2)
    for name, (least, most) in LIMITS.items():
        if not least <= options[name] <= most:
            raise CommandError(f"--{name}: from {least} to {most}", returncode=2)
