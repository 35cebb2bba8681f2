"""Tokens: shown once, stored as a digest, with scope, expiry, last use and an end."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from orchestration.domain.errors import Invalid, NotFound
from orchestration.models import ApiToken, AuditEntry
from orchestration.services.tokens import InvalidToken, token_create, token_revoke, token_user
from tests.api.conftest import Api, error_of, with_token
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.authz]


def test_the_database_holds_nothing_that_opens_a_door(ann):
    token, secret = token_create(user=ann, name="nightly", scope="run")
    assert secret.startswith("apf_")
    assert len(secret) >= 4 + 43  # 256 bits
    assert secret not in str(ApiToken.objects.filter(pk=token.pk).values())
    assert token_user(secret) == (ann, token)
    with pytest.raises(InvalidToken):
        token_user(token.digest)


def test_the_last_use_is_written_once_a_minute(ann, django_assert_num_queries):
    token, secret = token_create(user=ann, name="t")
    with django_assert_num_queries(2):
        token_user(secret)
    with django_assert_num_queries(1):
        token_user(secret)
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now() - timedelta(minutes=2))
    with django_assert_num_queries(2):
        token_user(secret)


def test_a_revoked_token_is_of_no_use(ann):
    token, secret = token_create(user=ann, name="t")
    token_revoke(user=ann, token_id=token.pk)
    token_revoke(user=ann, token_id=token.pk)
    with pytest.raises(InvalidToken):
        token_user(secret)
    assert AuditEntry.objects.filter(action="token.revoke").count() == 1
    for number in (token.pk, 2**70):
        with pytest.raises(NotFound):
            token_revoke(user=make_user("eve"), token_id=number)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a\nb"),
        ("name", "x" * 101),
        ("scope", "all"),
        ("expires_at", timezone.now() - timedelta(seconds=1)),
        ("expires_at", timezone.now() + timedelta(days=9999)),
    ],
)
def test_refused_tokens(ann, field, value):
    with pytest.raises(Invalid) as caught:
        token_create(user=ann, **{"name": "t", field: value})
    assert caught.value.field == field


def test_tokens_over_the_api(api, ann):
    made = api.post("tokens/", {"name": "ci", "scope": "read", "expires_at": "2030-01-01T00:00:00Z"})
    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    reader = Api(token=made.json()["secret"])
    assert reader.get("me/").json()["scope"] == "read"
    listed = reader.get("tokens/").json()["items"]
    assert [(t["name"], t["expires_at"], "secret" in t) for t in listed] == [("ci", "2030-01-01T00:00:00Z", False)]
    assert api.delete(f"tokens/{made.json()['id']}/").json()["revoked_at"]
    assert reader.get("me/").status_code == 401


def test_scopes(tree, ann):
    read, run = with_token(ann, "read"), with_token(ann, "run")
    path = f"trees/{tree.pk}/"
    for answer in (read.post(f"{path}runs/"), run.patch(path, {"labels": []}), run.delete(path), run.post("tokens/")):
        assert (answer.status_code, error_of(answer)["code"]) == (403, "token_scope")
    bulk = run.post("trees/bulk/", {"action": "delete", "ids": [tree.pk]})
    assert error_of(bulk)["code"] == "token_scope"
    assert run.post(f"{path}runs/").status_code == 202
    assert with_token(ann, "admin").patch(path, {"labels": ["x"]}).status_code == 200
    told = json.loads(AuditEntry.objects.get(action="tree.update").details)
    assert (told["fields"], told["door"], told["token"]) == (["labels"], "api", ApiToken.objects.get(name="admin").pk)


def test_a_token_does_no_more_than_its_user():
    viewer = with_token(make_user("viewer", role="viewer"), "admin")
    assert viewer.post("trees/", {"tasks": [{"name": "x"}]}).status_code == 403
