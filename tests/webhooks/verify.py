"""The example of docs/webhooks.md, as a receiver would have it."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"
CODE = re.search(r"```python\n(.*?)```", DOCS.read_text(), re.S)
assert CODE is not None
_example: dict[str, object] = {}
exec(CODE[1], _example)
verify = _example["verify"]
