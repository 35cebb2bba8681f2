"""Every address of the dashboard, so that a new page cannot stay without a test."""

from __future__ import annotations

from django.urls import URLPattern

from dashboard import urls

ACTIONS = {  # answer POST only
    "filter_default", "filter_delete", "filter_save", "operation_stop", "tour", "tree_run", "task_priority",
    "webhook_rotate", "webhook_switch", "webhook_test", "webhook_delete", "webhook_redeliver",
    "link_move", "tree_rename", "tree_labels", "tree_limit", "draft_edit", "draft_save", "draft_discard",
    "token_end", "tree_unshare", "trigger_rotate", "trigger_switch", "trigger_delete",
    "secret_end",
}  # fmt: skip
ELSEWHERE = {"login", "logout", "theme", "tree_export"}  # no page of a person who has signed in, or no HTML


def page_patterns() -> list[URLPattern]:
    """The addresses that answer a person who has signed in with a page."""
    patterns = [pattern for pattern in urls.urlpatterns if pattern.name not in ACTIONS | ELSEWHERE]
    assert all(isinstance(pattern, URLPattern) for pattern in patterns)
    return patterns
