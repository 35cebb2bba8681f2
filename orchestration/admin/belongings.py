"""What people have made beside trees, and what is written down about them. For looking; tokens can be revoked.

Secrets of every sort stay out of sight: digests, seeds and sealed values are no fields here.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest

from orchestration.admin.base import ReadOnlyAdmin, TabularInline
from orchestration.models import (
    ApiToken,
    AuditEntry,
    BulkOperation,
    DraftStep,
    Profile,
    SavedFilter,
    Secret,
    TreeDraft,
    Trigger,
    Webhook,
    WebhookDelivery,
)
from orchestration.services.tokens import token_revoke


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("seq", "at", "actor", "action", "target", "ip")
    search_fields = ("actor", "action", "target", "ip")
    fields = ("seq", "at", "actor", "actor_id", "action", "target", "details", "ip", "hash")


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ("name", "user", "prefix", "scope", "use_shell", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("scope", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__username")
    exclude = ("digest",)
    actions = ("revoke",)

    @admin.action(description="Revoke selected tokens")
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        """They are refused from now on, and streams that they have opened end. Effects: an audit entry of each."""
        user: Any = request.user
        if not user.has_perm("auth.change_user"):
            self.message_user(request, "Only who may change users can revoke tokens of others.", messages.ERROR)
            return
        revoked = [token_revoke(user=user, token_id=token.pk) for token in queryset]
        self.message_user(request, f"Revoked: {len(revoked)}", messages.SUCCESS)


@admin.register(Secret)
class SecretAdmin(ReadOnlyAdmin):
    list_display = ("name", "user", "created_at", "updated_at")
    list_select_related = ("user",)
    search_fields = ("name", "user__username")
    exclude = ("sealed",)


@admin.register(Webhook)
class WebhookAdmin(ReadOnlyAdmin):
    list_display = ("id", "name", "owner", "tree", "url", "active", "failures", "disabled_at")
    list_filter = ("active", ("disabled_at", admin.EmptyFieldListFilter))
    list_select_related = ("owner", "tree")
    search_fields = ("name", "url", "owner__username", "tree__name")
    exclude = ("seed", "old_seed")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = ("uid", "webhook", "topic", "state", "attempts", "response_code", "next_at", "created_at")
    list_filter = ("state", "topic")
    list_select_related = ("webhook",)
    search_fields = ("uid__exact", "run_id__exact", "tree_id__exact")


@admin.register(Trigger)
class TriggerAdmin(ReadOnlyAdmin):
    list_display = ("name", "tree", "proof", "enabled", "per_minute", "use_count", "last_used_at", "expires_at")
    list_filter = ("proof", "enabled")
    list_select_related = ("tree",)
    search_fields = ("name", "tree__name")


@admin.register(BulkOperation)
class BulkOperationAdmin(ReadOnlyAdmin):
    list_display = ("id", "actor", "action", "kind", "total", "done", "failed", "state", "created_at", "ended_at")
    list_filter = ("state", "action", "kind")
    list_select_related = ("actor",)
    search_fields = ("actor__username", "reason")


class DraftStepInline(TabularInline):
    """What was done to a draft."""

    model = DraftStep
    fields = readonly_fields = ("number", "what")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(TreeDraft)
class TreeDraftAdmin(ReadOnlyAdmin):
    list_display = ("id", "owner", "tree", "step", "created_at", "updated_at")
    list_select_related = ("owner", "tree")
    search_fields = ("owner__username", "tree__name")
    inlines = (DraftStepInline,)


@admin.register(SavedFilter)
class SavedFilterAdmin(ReadOnlyAdmin):
    list_display = ("name", "user", "page", "query", "is_default")
    list_filter = ("page", "is_default")
    list_select_related = ("user",)
    search_fields = ("name", "user__username")


@admin.register(Profile)
class ProfileAdmin(ReadOnlyAdmin):
    list_display = ("user", "time_zone", "tour_done")
    list_filter = ("tour_done",)
    list_select_related = ("user",)
    search_fields = ("user__username", "time_zone")
