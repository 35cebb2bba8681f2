"""Users and groups: Django's own pages, with audit entries, and never without an administrator at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect

from orchestration.admin.base import AuditedAdmin
from orchestration.services import audit
from orchestration.services.admins import LastAdmin, require_administrator

if TYPE_CHECKING:  # generic only in the type stubs
    DjangoUserAdmin = UserAdmin[Any]
else:
    DjangoUserAdmin = UserAdmin


class KeepsAnAdministrator(AuditedAdmin):
    """Nothing done here may leave nobody who can manage users."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        require_administrator()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        require_administrator()

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        with transaction.atomic():
            super().delete_queryset(request, queryset)
            require_administrator()

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        return self._told(request, super().changeform_view, *args, **options)

    def delete_view(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        return self._told(request, super().delete_view, *args, **options)

    def changelist_view(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        return self._told(request, super().changelist_view, *args, **options)

    def _told(self, request: HttpRequest, view: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """What *view* answers; the page again with the reason when it was taken back. Effects: then an audit entry."""
        if request.method != "POST":
            return view(request, *args, **options)
        try:
            with transaction.atomic():
                return view(request, *args, **options)
        except LastAdmin as error:
            audit.refused(user=request.user, target=f"{request.method} {request.path}", code=error.code)
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


admin.site.unregister([User, Group])


@admin.register(User)
class AuditedUserAdmin(KeepsAnAdministrator, DjangoUserAdmin):
    """Django's own, with audit entries."""


@admin.register(Group)
class AuditedGroupAdmin(KeepsAnAdministrator, GroupAdmin):
    """Django's own, with audit entries."""
