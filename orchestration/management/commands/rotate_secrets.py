"""`manage.py rotate_secrets`: another key for the secrets that tasks use."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestration.domain.errors import Conflict
from orchestration.domain.secrets import SecretUnreadable
from orchestration.services import secret_keys, secrets


class Command(BaseCommand):
    help = (
        "Seal all secrets with a new key. The old keys stay in the file, so that running processes go on; "
        "call it with --forget-old later."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--forget-old", action="store_true", help="take all keys but the newest out of the file")
        only.add_argument("--new-key", action="store_true", help="only print a key, for APFLOW_SECRET_KEYS")

    def handle(self, *, forget_old: bool, new_key: bool, **options: Any) -> None:
        if new_key:
            self.stdout.write(secret_keys.key_new())
            return
        try:
            if forget_old:
                self.stdout.write(f"Old keys forgotten: {secrets.forget_old_keys()}.")
            else:
                self.stdout.write(f"Secrets sealed anew: {secrets.rotate()}.")
        except (SecretUnreadable, Conflict, OSError) as error:
            raise CommandError(str(error)) from None
