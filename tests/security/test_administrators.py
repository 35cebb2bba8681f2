"""Somebody who can manage users remains, whatever is done on the admin site."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from orchestration.models import AuditEntry
from orchestration.services.admins import LastAdmin, administrators, require_administrator
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.authz]
USER = {
    "username": "boss", "is_active": "on", "is_staff": "on", "is_superuser": "on",
    "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00",
}  # fmt: skip


@pytest.fixture
def boss(db):
    return User.objects.create_superuser("boss")


@pytest.fixture
def page(boss):
    client = Client()
    client.force_login(boss)
    return client


def without(*names):
    return {name: value for name, value in USER.items() if name not in names}


@pytest.mark.parametrize("lost", ["is_active", "is_staff", "is_superuser"])
def test_the_last_one_cannot_be_deactivated_or_demoted(page, boss, lost):
    answer = page.post(f"/admin/auth/user/{boss.pk}/change/", without(lost), follow=True)
    assert "Nobody would be left who can manage users" in answer.content.decode()
    boss.refresh_from_db()
    assert (boss.is_active, boss.is_staff, boss.is_superuser) == (True, True, True)
    assert AuditEntry.objects.get(action="refused").details.count("last_admin") == 1
    assert not AuditEntry.objects.filter(action="admin.change").exists()


def test_with_another_one_it_can(page, boss):
    adam = make_user("adam", role="admin", is_staff=True)
    assert list(administrators().order_by("pk")) == [boss, adam]
    assert page.post(f"/admin/auth/user/{boss.pk}/change/", without("is_superuser")).status_code == 302
    boss.refresh_from_db()
    assert not boss.is_superuser


def test_the_last_one_cannot_be_deleted(page, boss):
    for path, form in (
        (f"/admin/auth/user/{boss.pk}/delete/", {"post": "yes"}),
        ("/admin/auth/user/", {"action": "delete_selected", "_selected_action": [boss.pk], "post": "yes"}),
    ):
        answer = page.post(path, form, follow=True)
        assert "Nobody would be left" in answer.content.decode(), path
        assert User.objects.filter(pk=boss.pk).exists()


def test_the_group_that_makes_the_last_one_stays(page, boss):
    adam = make_user("adam", role="admin", is_staff=True)
    group = Group.objects.get(name="admin")
    User.objects.filter(pk=boss.pk).update(is_superuser=False)
    page.force_login(adam)
    for path, form in (
        (f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}),
        (f"/admin/auth/group/{group.pk}/change/", {"name": "admin"}),
    ):
        assert "Nobody would be left" in page.post(path, form, follow=True).content.decode(), path
        assert group.permissions.filter(codename="change_user").exists()


def test_who_cannot_sign_in_to_the_admin_site_does_not_count(boss):
    make_user("adam", role="admin")
    make_user("stan", role=None, is_staff=True)
    make_user("gone", role="admin", is_staff=True, is_active=False)
    assert list(administrators()) == [boss]
    User.objects.filter(pk=boss.pk).update(is_active=False)
    with pytest.raises(LastAdmin):
        require_administrator()
