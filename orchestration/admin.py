"""The admin site: for looking, for sharing trees and for labels. States are written by the engine alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from orchestration.models import Attempt, Dependency, Event, Run, Task, Tree, TreeShare, Worker
from orchestration.selectors import access
from orchestration.services import audit

if TYPE_CHECKING:  # the classes are generic only in the type stubs
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    DjangoUserAdmin = UserAdmin[Any]
else:
    ModelAdmin, TabularInline = admin.ModelAdmin, admin.TabularInline
    DjangoUserAdmin = UserAdmin

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
    if isinstance(found, Task | Run | TreeShare):
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


class DependencyInline(TabularInline):
    """What a task waits for."""

    model = Dependency
    fk_name = "task"
    fields = readonly_fields = ("depends_on", "required", "position", "map", "as_key")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ShareInline(TabularInline):
    """Who else sees or runs a tree."""

    model = TreeShare
    autocomplete_fields = ("user",)
    extra = 0


admin.site.unregister([User, Group])


@admin.register(User)
class AuditedUserAdmin(AuditedAdmin, DjangoUserAdmin):
    """Django's own, with audit entries."""


@admin.register(Group)
class AuditedGroupAdmin(AuditedAdmin, GroupAdmin):
    """Django's own, with audit entries."""


@admin.register(Tree)
class TreeAdmin(AuditedAdmin):
    """Only labels and shares can be changed."""

    list_display = ("name", "owner", "task_count", "run_count", "origin_type", "archived_at", "updated_at")
    list_filter = ("origin_type", ("archived_at", admin.EmptyFieldListFilter))
    list_select_related = ("owner",)
    list_per_page = 50
    search_fields = ("name", "owner__username")
    inlines = (ShareInline,)
    readonly_fields = (
        "name", "owner", "origin_type", "original", "task_count", "run_count", "version", "archived_at", "created_at",
        "updated_at",
    )  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the dashboard's delete checks links and active runs


@admin.register(TreeShare)
class TreeShareAdmin(AuditedAdmin):
    list_display = ("tree", "user", "right")
    list_filter = ("right",)
    list_select_related = ("tree", "user")
    autocomplete_fields = ("tree", "user")
    search_fields = ("tree__name", "user__username")


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin):
    list_display = ("name", "tree", "status", "executor", "priority", "attempt", "started_at", "completed_at")
    list_filter = ("status", "priority", "executor", "origin_type")
    list_select_related = ("tree",)
    search_fields = ("name", "=id")
    inlines = (DependencyInline,)


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = ("tree", "number", "status", "mode", "total", "completed", "failed", "started_by", "started_at")
    list_filter = ("status", "mode")
    list_select_related = ("tree", "started_by")
    search_fields = ("tree__name",)
    date_hierarchy = "started_at"


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    list_display = ("task", "number", "run", "status", "error_code", "worker", "started_at", "completed_at")
    list_filter = ("status", "error_code", "executor")
    list_select_related = ("task", "run")
    search_fields = ("task__name", "worker")


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("run", "seq", "kind", "task_id", "attempt", "at")
    list_filter = ("kind",)
    list_select_related = ("run",)
    search_fields = ("=run__id", "=task_id")


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "kind",
        "host",
        "pid",
        "process_slots",
        "async_slots",
        "started_at",
        "heartbeat_at",
        "stopped_at",
    )
    list_filter = (("stopped_at", admin.EmptyFieldListFilter),)
    search_fields = ("host",)
