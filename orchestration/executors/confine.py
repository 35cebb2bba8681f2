"""Becomes another program that may take so much and no more. A file of its own, started by path: it imports no package.

    python -I -S confine.py '{"CPU": 60, "DATA": 1000000, "NOFILE": 100, "NPROC": 0}' /bin/program ARGUMENT...

A limit of 0 is none. Set before the program begins, by itself, so that nothing it starts can escape them.
"""

from __future__ import annotations

import json
import os
import resource
import sys

CANNOT_START = 126  # exit code, with the reason as the last line of standard error


def limit(name: str, most: int) -> None:
    """At most *most*, or less where this process may have less already."""
    what = getattr(resource, f"RLIMIT_{name}")
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    # of the processor's time the soft limit ends the program with a signal of its own, one second before the hard one
    resource.setrlimit(what, (most, most + 1 if name == "CPU" and hard == resource.RLIM_INFINITY else most))


if __name__ == "__main__":
    program = sys.argv[2]  # the caller has looked for it in the list of allowed programs
    try:
        for wanted, value in json.loads(sys.argv[1]).items():
            if value:
                limit(wanted, value)
        os.execv(program, sys.argv[2:])  # nosec B606
    except OSError as error:
        print(f"cannot be started: {error.strerror}", file=sys.stderr)
        sys.exit(CANNOT_START)
