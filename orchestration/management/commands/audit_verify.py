"""`manage.py audit_verify`: has anybody changed the audit log?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestration.services import audit


class Command(BaseCommand):
    help = "Check the chain of the audit log. Ends with 1 and names the entries if one was changed, deleted or added."

    def handle(self, *args: Any, **options: Any) -> None:
        found = audit.faults()
        if found:
            raise CommandError("The audit log was tampered with:\n- " + "\n- ".join(found))
        self.stdout.write(f"The audit log is as it was written. Its newest entry: {audit.head_text()}")
