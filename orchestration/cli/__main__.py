"""`python -m orchestration.cli` and `apflowctl`."""

from __future__ import annotations

import sys

from orchestration.cli.arguments import parser
from orchestration.cli.client import Client
from orchestration.cli.failure import Failure
from orchestration.cli.output import Output
from orchestration.cli.store import connection

INTERRUPTED = 130


def run(argv: list[str] | None = None) -> int:
    """Carry out one command; the exit code. Raises SystemExit(2) on wrong usage."""
    asked = parser().parse_args(argv)
    out = Output(as_json=asked.json)
    try:
        if asked.signs_in:
            return int(asked.do(asked, out))
        url, token = connection()
        with Client(url, token) as client:
            return int(asked.do(asked, client, out))
    except Failure as failure:
        out.failure(failure)
        return failure.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED


def main() -> None:
    """The entry point: ends the process with the exit code."""
    sys.exit(run())


if __name__ == "__main__":
    main()
