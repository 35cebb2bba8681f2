"""`manage.py prune`: delete old runs."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orchestration.services.retention import Pruned, prune, prune_preview

MAX_DAYS = 36_500


class Command(BaseCommand):
    help = (
        "Delete runs that ended long ago, with their attempts and events. The newest run of a tree, and every run "
        "whose results are still shown or linked to, stays; so does the audit log. What webhooks were told so long ago "
        "goes too."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        days = settings.RETENTION_DAYS
        parser.add_argument("--days", type=int, default=days, help="how old they must be (default: %(default)s)")
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *, days: int, dry_run: bool, **options: Any) -> None:
        if not 0 <= days <= MAX_DAYS:
            raise CommandError(f"--days: use 0 to {MAX_DAYS}")
        before = timezone.now() - timedelta(days=days)
        if dry_run:
            self.stdout.write(f"Would delete {_words(prune_preview(before))}.")
        else:
            self.stdout.write(f"Deleted {_words(prune(before))}.")


def _words(pruned: Pruned) -> str:
    runs = f"{pruned.runs} runs with {pruned.attempts} attempts and {pruned.events} events"
    return f"{runs}, {pruned.deliveries} deliveries of webhooks"
