"""What webhooks were told is forgotten with the runs, and told no second time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestration.models import Run, WebhookCursor, WebhookDelivery
from orchestration.services.retention import prune, prune_preview
from orchestration.services.webhook_feed import Feed
from tests.dashboard.rows import end_run, start
from tests.factories import make_tree, make_user
from tests.webhooks.support import hook

pytestmark = pytest.mark.django_db


def test_old_deliveries_and_the_cursors_of_runs_that_are_gone_are_deleted():
    ann = make_user("ann")
    hook(ann, "https://example.com/hook")
    tree = make_tree(owner=ann)
    for _ in range(3):
        end_run(start(tree), "completed")
    Feed().make_deliveries()
    before = timezone.now()
    WebhookDelivery.objects.filter(run_id=Run.objects.latest("pk").pk).update(created_at=before + timedelta(days=1))
    assert prune(before - timedelta(days=1)).deliveries == 0
    would = prune_preview(before)
    assert (would.runs, would.deliveries) == (2, 2)
    assert prune(before) == would
    assert WebhookDelivery.objects.count() == 1
    assert list(WebhookCursor.objects.values_list("run_id", flat=True)) == [Run.objects.get().pk]
    assert Feed().make_deliveries() == 0
