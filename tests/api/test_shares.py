"""Sharing over the API: listed, added, changed, removed; by the owner alone, and written down."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestration.models import AuditEntry, TreeShare
from orchestration.services import shares
from tests.api.conftest import Api, error_of, with_token
from tests.factories import make_tree, make_user

pytestmark = pytest.mark.django_db


def refusal(answer):
    return answer.status_code, error_of(answer)["code"]


def test_list_add_change_remove(api, tree):
    eve, path = Api(make_user("eve")), f"trees/{tree.pk}/shares/"
    assert eve.get(f"trees/{tree.pk}/").status_code == 404
    made = api.post(path, {"username": "eve", "right": "view"})
    assert (made.status_code, made.json()["username"], made.json()["right"]) == (201, "eve", "view")
    assert eve.get(f"trees/{tree.pk}/").status_code == 200
    assert eve.post(f"trees/{tree.pk}/runs/").status_code == 403
    one = made["Location"]
    assert api.get(one).json() == made.json()
    assert api.patch(one, {"right": "run"}).json() == {**made.json(), "right": "run"}
    assert eve.post(f"trees/{tree.pk}/runs/").status_code == 202
    listed = api.get(path).json()["items"]
    assert [(s["username"], s["right"]) for s in listed] == [("bob", "view"), ("carla", "run"), ("eve", "run")]
    assert [s["username"] for s in api.get(f"{path}?right=view").json()["items"]] == ["bob"]
    assert api.delete(one).status_code == 204
    assert eve.get(f"trees/{tree.pk}/").status_code == 404
    assert refusal(api.delete(one)) == (404, "not_found")
    told = AuditEntry.objects.filter(target=f"tree:{tree.pk}").order_by("seq").values_list("action", flat=True)
    wanted = ["tree.share", "tree.share", "tree.unshare"]
    assert [action for action in told if action != "refused" and not action.startswith("api.")] == wanted


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"username": "eve"}, "required"),
        ({"username": "", "right": "view"}, "blank"),
        ({"username": 7, "right": "view"}, "invalid_type"),
        ({"username": "nobody", "right": "view"}, "unknown_user"),
        ({"username": "x" * 151, "right": "view"}, "too_long"),
        ({"username": "ann", "right": "view"}, "is_owner"),
        ({"username": "eve", "right": "own"}, "invalid_choice"),
        ({"username": "eve", "right": "view", "admin": True}, "unknown_field"),
    ],
)
def test_what_is_wrong_is_told(api, tree, body, code):
    make_user("eve")
    assert refusal(api.post(f"trees/{tree.pk}/shares/", body)) == (400, code)
    assert TreeShare.objects.filter(tree=tree).count() == 2


def test_a_second_share_with_somebody_is_a_conflict(api, tree):
    answer = api.post(f"trees/{tree.pk}/shares/", {"username": " bob ", "right": "run"})
    assert refusal(answer) == (409, "already_shared")
    assert TreeShare.objects.get(user__username="bob").right == TreeShare.VIEW


def test_a_share_for_running_is_not_one_for_sharing(tree):
    share = tree.shares.get(user__username="carla").pk
    for name in ("bob", "carla"):
        client = Api(make_user(name))
        assert client.get(f"trees/{tree.pk}/shares/").status_code == 403
        assert client.post(f"trees/{tree.pk}/shares/", {"username": "eve", "right": "run"}).status_code == 403
        assert client.patch(f"trees/{tree.pk}/shares/{share}/", {"right": "run"}).status_code == 403
        assert client.delete(f"trees/{tree.pk}/shares/{share}/").status_code == 403


def test_a_token_for_running_shares_nothing(tree, ann):
    body = {"username": "bob", "right": "run"}
    assert refusal(with_token(ann, "run").post(f"trees/{tree.pk}/shares/", body)) == (403, "token_scope")


def test_a_share_of_another_tree_is_not_found_here(api, tree):
    other = make_tree(owner=make_user("ann"))
    share = tree.shares.first().pk
    for number in (share, 10**30):
        assert refusal(api.get(f"trees/{other.pk}/shares/{number}/")) == (404, "not_found")
        assert refusal(api.patch(f"trees/{other.pk}/shares/{number}/", {"right": "run"})) == (404, "not_found")
        assert refusal(api.delete(f"trees/{other.pk}/shares/{number}/")) == (404, "not_found")


def test_there_is_a_limit(api, tree, monkeypatch):
    make_user("eve")
    monkeypatch.setattr(shares, "MAX_SHARES", 2)
    answer = api.post(f"trees/{tree.pk}/shares/", {"username": "eve", "right": "view"})
    assert refusal(answer) == (400, "too_many")


def test_a_list_costs_the_same_for_many(api, tree):
    def cost():
        with CaptureQueriesContext(connection) as captured:
            api.get(f"trees/{tree.pk}/shares/")
        return len(captured)

    cost()  # the first request of a session renews it
    few = cost()
    users = User.objects.bulk_create(User(username=f"u{i}") for i in range(40))
    TreeShare.objects.bulk_create(TreeShare(tree=tree, user=user) for user in users)
    assert cost() == few
