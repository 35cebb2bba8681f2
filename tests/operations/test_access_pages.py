from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User

from orchestration.models import ApiToken, AuditEntry, TreeShare
from orchestration.services import audit
from orchestration.services.tokens import InvalidToken, token_user
from tests.dashboard.conftest import clients, signed_in, tree  # noqa: F401  (fixtures)
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def secret_in(page):
    return re.search(r'value="(apf_[\w-]+)"', page.content.decode()).group(1)


def test_a_secret_is_shown_once_and_works_until_revoked(clients):  # noqa: F811
    ann = clients["ann"]
    made = ann.post("/me/tokens", {"name": "<b>night", "scope": "run", "days": "30"})
    secret = secret_in(made)
    assert "no-store" in made["Cache-Control"]
    user, token = token_user(secret)
    assert (user.username, token.scope, round((token.expires_at - token.created_at).total_seconds() / 86400)) == (
        "ann",
        "run",
        30,
    )
    again = ann.get("/me/tokens").content.decode()
    assert secret not in again
    assert "&lt;b&gt;night" in again
    assert "night" not in clients["bob"].get("/me/tokens").content.decode()
    assert clients["bob"].post(f"/me/tokens/{token.pk}/revoke").status_code == 404
    assert ann.post(f"/me/tokens/{token.pk}/revoke").status_code == 302
    with pytest.raises(InvalidToken):
        token_user(secret)
    assert "revoked" in ann.get("/me/tokens").content.decode()


@pytest.mark.parametrize(
    "form",
    [
        {"name": "", "scope": "read", "days": "30"},
        {"name": "x", "scope": "all", "days": "30"},
        {"name": "x", "scope": "read", "days": "soon"},
        {"name": "x", "scope": "read", "days": "99999999999999"},
        {},
    ],
)
def test_a_bad_token_form_comes_back(clients, form):  # noqa: F811
    answer = clients["ann"].post("/me/tokens", form)
    assert answer.status_code == 400
    assert b'role="alert"' in answer.content
    assert not ApiToken.objects.exists()


def test_sharing(clients, tree):  # noqa: F811
    ann, url = clients["ann"], f"/trees/{tree.pk}/share"
    assert clients["eve"].get(f"/trees/{tree.pk}").status_code == 404
    assert ann.post(url, {"username": "eve", "right": "view"}).status_code == 302
    assert clients["eve"].get(f"/trees/{tree.pk}").status_code == 200
    assert clients["eve"].post(f"/trees/{tree.pk}/run").status_code == 403
    ann.post(url, {"username": "eve", "right": "run"})
    share = TreeShare.objects.get(user__username="eve")
    assert share.right == "run"
    assert b"eve" in ann.get(url).content
    assert ann.post(f"{url}/{share.pk}/remove").status_code == 302
    assert clients["eve"].get(f"/trees/{tree.pk}").status_code == 404
    actions = list(AuditEntry.objects.order_by("seq").values_list("action", flat=True))
    assert actions.count("tree.share") == 2
    assert actions.count("tree.unshare") == 1


@pytest.mark.parametrize(
    "form", [{"username": "nobody", "right": "view"}, {"username": "ann", "right": "run"}, {"username": "eve"},
             {"username": "e\x00ve", "right": "view"}]
)  # fmt: skip
def test_a_bad_share_form_comes_back(clients, tree, form):  # noqa: F811
    answer = clients["ann"].post(f"/trees/{tree.pk}/share", form)
    assert answer.status_code == 400
    assert b'role="alert"' in answer.content
    assert TreeShare.objects.count() == 2


@pytest.mark.parametrize(("who", "status"), [("bob", 403), ("carla", 403), ("eve", 404), ("nobody", 302)])
def test_only_the_owner_shares(clients, tree, who, status):  # noqa: F811
    share = TreeShare.objects.first()
    url = f"/trees/{tree.pk}/share"
    assert clients[who].get(url).status_code == status
    assert clients[who].post(url, {"username": "eve", "right": "run"}).status_code == status
    assert clients[who].post(f"{url}/{share.pk}/remove").status_code == status
    assert TreeShare.objects.count() == 2


def test_a_share_of_another_tree_cannot_be_removed_here(clients, tree):  # noqa: F811
    assert clients["ann"].post(f"/trees/{tree.pk}/share/999999/remove").status_code == 404


@pytest.mark.parametrize(("who", "status"), [("ann", 403), ("eve", 403), ("nobody", 302)])
def test_the_audit_log_is_for_administrators(clients, who, status):  # noqa: F811
    assert clients[who].get("/audit/").status_code == status
    assert b'href="/audit/"' not in clients["ann"].get("/me").content


def test_the_audit_log_has_filters_and_pages():
    for number in range(60):
        audit.record(action="a.b" if number % 2 else "c.d", target=f"tree:{number}", details={"x": "<i>"})
    staff = signed_in(User.objects.create_user("sue", is_staff=True))
    first = staff.get("/audit/?action=").content.decode()
    assert "tree:59" in first
    assert "tree:9<" not in first
    assert "<i>" not in first
    following = re.search(r'href="\?(before=\d+)"', first).group(1)
    assert "tree:9<" in staff.get(f"/audit/?{following}").content.decode()
    only = staff.get("/audit/?action=a.b&target=tree:7").content.decode()
    assert "tree:7<" in only
    assert "c.d" not in only
    for odd in ("before=x", "before=99999999999999999999999", "actor=%00", "target=%F0%9F%98%80"):
        assert staff.get(f"/audit/?{odd}").status_code == 200
    admin = signed_in(make_user("adam", role="admin"))
    assert admin.get("/audit/").status_code == 200
    assert b'href="/audit/"' in admin.get("/me").content
