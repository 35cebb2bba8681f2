"""Staff sees everything, and everybody can find out that it did."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from orchestration.models import AuditEntry, TreeShare
from orchestration.services import audit
from orchestration.services.runs import run_start
from tests.api.conftest import Api, with_token
from tests.dashboard.conftest import signed_in, tree  # noqa: F401  (fixtures)
from tests.factories import grant, make_user, task_named

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(db):
    return grant(make_user("sam", role="viewer", is_staff=True), "cancel_any")


def views():
    return list(AuditEntry.objects.filter(action="staff.view").order_by("seq").values_list("actor", "target"))


def test_a_look_at_another_s_tree_is_told_once_an_hour(staff, tree, monkeypatch):  # noqa: F811
    run = run_start(user=tree.owner, tree_id=tree.pk)
    page = signed_in(staff)
    paths = (f"/trees/{tree.pk}", f"/runs/{run.pk}", f"/runs/{run.pk}", f"/tasks/{task_named(tree, 'load').pk}")
    for path in paths:
        answer = page.get(path)
        assert answer.status_code == 200
        assert "as staff: it belongs to ann" in answer.content.decode()
    assert page.get(f"/runs/{run.pk}", headers={"HX-Request": "true"}).status_code == 200
    Api(staff).get(f"runs/{run.pk}/")
    with_token(staff, "read").get(f"trees/{tree.pk}/")
    assert views() == [("sam", f"tree:{tree.pk}")]
    monkeypatch.setattr(audit, "VIEW_STEP", timedelta(0))
    page.get(f"/trees/{tree.pk}")
    assert len(views()) == 2
    assert AuditEntry.objects.filter(action="staff.view", at__lte=timezone.now(), ip="127.0.0.1").count() == 2


def test_no_word_about_one_s_own_or_what_is_shared_or_about_lists(staff, tree):  # noqa: F811
    page = signed_in(staff)
    assert b"Report" in page.get("/trees/").content
    TreeShare.objects.create(tree=tree, user=staff, right=TreeShare.VIEW)
    assert b"as staff" not in page.get(f"/trees/{tree.pk}").content
    assert b"as staff" not in signed_in(tree.owner).get(f"/trees/{tree.pk}").content
    assert views() == []


def test_staff_cancels_any_run_and_starts_none(staff, tree):  # noqa: F811
    page, api = signed_in(staff), Api(staff)
    run = run_start(user=tree.owner, tree_id=tree.pk)
    send = task_named(tree, "send").pk
    text = page.get(f"/runs/{run.pk}").content.decode()
    assert "cancel-dialog" in text
    assert f"/runs/{run.pk}/rerun" not in text
    assert page.get(f"/runs/{run.pk}/cancel").status_code == 200
    assert "Cancel" in page.get(f"/tasks/{send}").content.decode()
    assert page.post(f"/tasks/{send}/cancel").status_code == 302
    assert api.post(f"runs/{run.pk}/cancel/", {"reason": "too much"}).status_code == 200
    assert AuditEntry.objects.filter(action="run.cancel", actor="sam").count() == 1
    for path in (f"/trees/{tree.pk}/run", f"/runs/{run.pk}/rerun", f"/trees/{tree.pk}/delete"):
        assert page.post(path).status_code == 403
    assert api.post(f"trees/{tree.pk}/runs/").status_code == 403
    assert "Run from here" not in page.get(f"/tasks/{send}").content.decode()


def test_staff_cancels_through_the_bulk_api(staff, tree):  # noqa: F811
    run_start(user=tree.owner, tree_id=tree.pk)
    done = Api(staff).post("trees/bulk/", {"action": "cancel", "ids": [tree.pk]}).json()
    assert (done["done"], done["refused"]) == (1, 0)


def test_deactivated_staff_sees_nothing(staff, tree):  # noqa: F811
    secret = with_token(staff, "read")
    staff.is_active = False
    staff.save()
    assert secret.get(f"trees/{tree.pk}/").status_code == 401


def test_the_admin_site_tells_too(tree):  # noqa: F811
    boss = User.objects.create_superuser("boss", password="secret")
    page = signed_in(boss)
    load = task_named(tree, "load")
    assert page.get(f"/admin/orchestration/task/{load.pk}/change/").status_code == 200
    assert views() == [("boss", f"tree:{tree.pk}")]
    ann = tree.owner
    form = {"username": "ann", "is_active": "on", "is_staff": "on", "groups": [Group.objects.get(name="viewer").pk]}
    form |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    assert page.post(f"/admin/auth/user/{ann.pk}/change/", form).status_code == 302
    entry = AuditEntry.objects.get(action="admin.change")
    told = json.loads(entry.details)
    assert (entry.actor, entry.target, told["door"]) == ("boss", f"user:{ann.pk}", "admin")
    assert (told["before"]["groups"], told["after"]["groups"]) == (["operator"], ["viewer"])
    assert (told["before"]["is_staff"], told["after"]["is_staff"]) == (False, True)
    eve = make_user("eve2")
    page.post("/admin/auth/user/", {"action": "delete_selected", "_selected_action": [eve.pk], "post": "yes"})
    assert json.loads(AuditEntry.objects.get(action="admin.delete").details)["before"]["username"] == "eve2"
