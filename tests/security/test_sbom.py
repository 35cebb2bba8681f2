"""The bill of materials names everything that the lock names."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path

from django.core.management import call_command

LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"


def test_what_is_locked_is_listed():
    out = StringIO()
    call_command("sbom", stdout=out)
    bom = json.loads(out.getvalue())
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    listed = {part["name"]: part["version"] for part in bom["components"]}
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", LOCK.read_text(), re.MULTILINE))
    known = {name: version for name, version in listed.items() if name in locked}
    assert {"django", "cryptography", "httpx"} <= known.keys()
    assert known == {name: locked[name] for name in known}
    assert all(part["purl"] == f"pkg:pypi/{part['name']}@{part['version']}" for part in bom["components"])
