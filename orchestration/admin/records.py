"""Trees, runs and what the engine writes: for looking; labels and shares can be changed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from orchestration.admin.base import AuditedAdmin, ReadOnlyAdmin, TabularInline
from orchestration.models import Attempt, Dependency, Event, Run, Task, Tree, TreeShare, Worker


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
    search_fields = ("name", "id__exact")
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
    search_fields = ("run__id__exact", "task_id__exact")


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
