"""`manage.py sbom`: what this installation is made of, as a CycloneDX document."""

from __future__ import annotations

import json
import re
from importlib.metadata import Distribution, distributions
from typing import Any

from django.core.management.base import BaseCommand

FORMAT = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1}


class Command(BaseCommand):
    help = "Print the installed packages as a CycloneDX 1.6 document (JSON). Needs no network."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        self.stdout.write(json.dumps(document(), indent=2, sort_keys=True))


def document() -> dict[str, Any]:
    """The bill of materials: each package once, by name."""
    found = {_name(one): _component(one) for one in distributions() if one.metadata["Name"]}
    return {**FORMAT, "components": [found[name] for name in sorted(found)]}


def _component(package: Distribution) -> dict[str, Any]:
    name, version = _name(package), package.version
    purl = f"pkg:pypi/{name}@{version}"
    component: dict[str, Any] = {
        "type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl
    }  # fmt: skip
    licence = package.metadata.get("License-Expression")
    return component | ({"licenses": [{"expression": licence}]} if licence else {})


def _name(package: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower()
