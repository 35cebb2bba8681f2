"""What the nursery calls in a process of its own, on the database of a server."""

from __future__ import annotations

import io
from contextlib import redirect_stdout


def printed(code):
    """What the Python of a test prints."""
    output = io.StringIO()
    with redirect_stdout(output):
        exec(code, {})
    return output.getvalue()
