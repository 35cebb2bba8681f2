"""The admin site shows what there is, keeps secrets to itself, and revokes tokens through the service."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.urls import reverse

from orchestration.models import ApiToken, AuditEntry, Secret, Webhook
from orchestration.services.tokens import token_create
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.authz]
OURS = sorted((m for m in admin.site._registry if m._meta.app_label == "orchestration"), key=lambda m: m.__name__)


def name_of(model: type[Model]) -> str:
    return f"admin:{model._meta.app_label}_{model._meta.model_name}"


@pytest.mark.parametrize("model", OURS)
def test_every_list_can_be_searched_and_every_row_opened(world, model):
    boss = world.clients["superuser"]
    for words in ("a", "1", str(uuid4()), "'%_\\"):
        asked = {"q": words} if admin.site._registry[model].search_fields else {}
        assert boss.get(reverse(f"{name_of(model)}_changelist"), asked).status_code == 200
    row = model._default_manager.first()
    assert row is not None
    page = boss.get(reverse(f"{name_of(model)}_change", args=[row.pk]))
    assert page.status_code == 200
    assert str(row).split()[0] in page.content.decode()


def test_no_page_shows_a_secret(world):
    boss = world.clients["superuser"]
    hidden = [*ApiToken.objects.values_list("digest", flat=True), *Secret.objects.values_list("sealed", flat=True)]
    hidden += Webhook.objects.values_list("seed", flat=True)
    assert len(hidden) >= 4
    for model in OURS:
        pages = [boss.get(reverse(f"{name_of(model)}_changelist")).content.decode()]
        for row in model._default_manager.all():
            pages.append(boss.get(reverse(f"{name_of(model)}_change", args=[row.pk])).content.decode())
        assert not [value for value in hidden for page in pages if value in page], model


def test_tokens_are_revoked_through_the_service(world):
    token, _ = token_create(user=make_user("ann"), name="lost")
    asked = {"action": "revoke", "_selected_action": [token.pk]}
    address = reverse("admin:orchestration_apitoken_changelist")
    answer = world.clients["superuser"].post(address, asked, follow=True)
    assert "Revoked: 1" in answer.content.decode()
    token.refresh_from_db()
    assert token.revoked_at is not None
    entry = AuditEntry.objects.get(action="token.revoke", target=f"token:{token.pk}")
    assert entry.actor == "boss"


def test_who_may_only_look_revokes_nothing(world):
    token, _ = token_create(user=make_user("ann"), name="kept")
    stan = make_user("stan", role=None)
    stan.user_permissions.add(Permission.objects.get(codename="view_apitoken"))
    asked = {"action": "revoke", "_selected_action": [token.pk]}
    answer = world.clients["staff"].post(reverse("admin:orchestration_apitoken_changelist"), asked, follow=True)
    assert "Only who may change users" in answer.content.decode()
    token.refresh_from_db()
    assert token.revoked_at is None
