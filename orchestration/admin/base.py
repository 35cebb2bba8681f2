"""What all pages of the admin site have in common: an audit log, and no way to write what services write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from orchestration.models import (
    Attempt,
    Event,
    Run,
    Task,
    Tree,
    TreeDraft,
    TreeShare,
    Trigger,
    Webhook,
    WebhookDelivery,
)
from orchestration.selectors import access
from orchestration.services import audit

if TYPE_CHECKING:  # the classes are generic only in the type stubs
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
else:
    ModelAdmin, TabularInline = admin.ModelAdmin, admin.TabularInline

if apps.is_installed("procrastinate.contrib.django"):  # its rows are the engine's: nothing to look at or to retry
    admin.site.unregister([m for m in apps.get_app_config("procrastinate").get_models() if admin.site.is_registered(m)])
admin.site.site_header = "apflow administration"
admin.site.site_title = "apflow"
admin.site.index_title = "Users, shares and records"


class AuditedAdmin(ModelAdmin):
    """What is looked at, added, changed and deleted here has an entry in the audit log."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        tree = _tree_of(found)
        if tree is not None:
            access.opened(request.user, tree)
        return found

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            request.audit_before = _rights(obj)  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        _note(request, "admin.add", obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        _note(request, "admin.change", obj, message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            _note(request, "admin.delete", obj, "")
        return super().log_deletions(request, queryset)


def _tree_of(found: Any) -> Tree | None:
    if isinstance(found, Attempt):
        found = found.task
    if isinstance(found, Event):
        found = found.run
    if isinstance(found, WebhookDelivery):
        return Tree.objects.filter(pk=found.tree_id).first() if found.tree_id is not None else None
    if isinstance(found, Task | Run | TreeShare | Trigger | Webhook | TreeDraft):
        found = found.tree
    return found if isinstance(found, Tree) else None


def _rights(obj: Any) -> dict[str, Any]:
    """What a user or group may do, as it is stored."""
    stored = type(obj).objects.filter(pk=obj.pk).first()
    rights: dict[str, Any] = {}
    if isinstance(stored, User):
        rights = {flag: getattr(stored, flag) for flag in ("username", "is_active", "is_staff", "is_superuser")}
        rights["groups"] = sorted(stored.groups.values_list("name", flat=True))
        rights["permissions"] = sorted(stored.user_permissions.values_list("codename", flat=True))
    elif isinstance(stored, Group):
        rights["permissions"] = sorted(stored.permissions.values_list("codename", flat=True))
    elif isinstance(stored, TreeShare):
        rights = {"tree": stored.tree_id, "user": stored.user_id, "right": stored.right}
    return rights


def _note(request: HttpRequest, action: str, obj: Any, message: Any) -> None:
    """An audit entry; of rights those before and after, else the names of the fields that were changed."""
    before, after = getattr(request, "audit_before", {}), _rights(obj)
    details = {"name": str(obj)[:200], "message": message}
    details |= {"before": before} if before else {}
    details |= {"before" if action == "admin.delete" else "after": after} if after else {}
    audit.record(actor=request.user, action=action, target=f"{obj._meta.model_name}:{obj.pk}", details=details)


class ReadOnlyAdmin(AuditedAdmin):
    """Rows to look at. Nothing can be added, changed or deleted here."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
