"""The audit log: what is in it, and that nobody changes it unseen."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client

from orchestration.models import AuditEntry, AuditHead
from orchestration.services import audit
from tests.api.conftest import Api
from tests.factories import make_user
from tests.support_audit import without_guards

pytestmark = pytest.mark.django_db
TABLE = "orchestration_auditentry"


@pytest.fixture
def log(ann):
    for number in range(1, 6):
        audit.record(actor=ann, action=f"a{number}", target="tree:1", details={"n": 1.0, "ü": [1e400 and 2]}, ip="::1")


def test_an_untouched_log(log, capsys):
    assert audit.faults() == []
    call_command("audit_verify")
    assert audit.head_text() in capsys.readouterr().out


def test_an_empty_log(db):
    assert audit.faults() == []
    assert audit.head_text() == "0 (empty)"


COPY = "at, actor_id, actor, action, target, details, ip, hash"
TAMPERED = {
    "changed": [f"UPDATE {TABLE} SET actor = 'eve' WHERE seq = 3"],
    "details": [f"UPDATE {TABLE} SET details = '{{}}' WHERE seq = 3"],
    "deleted": [f"DELETE FROM {TABLE} WHERE seq = 3"],
    "first deleted": [f"DELETE FROM {TABLE} WHERE seq = 1"],
    "cut": [f"DELETE FROM {TABLE} WHERE seq > 3"],
    "all gone": [f"DELETE FROM {TABLE}"],
    "added": [f"INSERT INTO {TABLE} (seq, {COPY}) SELECT 6, {COPY} FROM {TABLE} WHERE seq = 5"],
    "inserted": [
        f"UPDATE {TABLE} SET seq = seq + 100 WHERE seq > 3",
        f"UPDATE {TABLE} SET seq = seq - 99 WHERE seq > 100",
        f"INSERT INTO {TABLE} (seq, {COPY}) SELECT 4, {COPY} FROM {TABLE} WHERE seq = 2",
    ],
    "swapped": [
        f"UPDATE {TABLE} SET seq = 100 WHERE seq = 2",
        f"UPDATE {TABLE} SET seq = 2 WHERE seq = 3",
        f"UPDATE {TABLE} SET seq = 3 WHERE seq = 100",
    ],
    "head": ["UPDATE orchestration_audithead SET seq = 4"],
    "no head": ["DELETE FROM orchestration_audithead"],
}


@pytest.mark.parametrize("statements", TAMPERED.values(), ids=TAMPERED)
def test_tampering_is_found(log, statements):
    without_guards(*statements)
    assert audit.faults()
    with pytest.raises(CommandError, match="tampered"):
        call_command("audit_verify")


@pytest.mark.parametrize(
    "change",
    [
        lambda: AuditEntry.objects.filter(pk=1).update(actor="eve"),
        lambda: AuditEntry.objects.filter(pk=1).delete(),
        lambda: AuditHead.objects.update(seq=1),
        lambda: AuditHead.objects.all().delete(),
    ],
)
def test_the_database_refuses_changes(log, change):
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        change()


def test_logins_and_logouts_are_written_down(ann):
    client = Client()
    client.post("/login/", {"username": "ann", "password": "wrong"})
    client.post("/login/", {"username": "ann", "password": "secret"})
    client.post("/logout/")
    rows = AuditEntry.objects.order_by("seq").values_list("action", "actor", "target", "ip")
    assert list(rows) == [
        ("login.failed", "", "account:ann", "127.0.0.1"),
        ("login", "ann", f"user:{ann.pk}", "127.0.0.1"),
        ("logout", "ann", f"user:{ann.pk}", "127.0.0.1"),
    ]


def test_what_was_refused_leaves_no_entry_of_success(api, tree):
    api.post(f"trees/{tree.pk}/limit/", {"max_parallel": -1})
    assert not AuditEntry.objects.filter(action="tree.limit").exists()


def test_administrators_read_the_log(log):
    boss = Api(make_user("boss", role="admin"))
    page = boss.get("audit/?actor=ann&page_size=2").json()
    assert [(row["seq"], row["action"], row["details"]["n"]) for row in page["items"]] == [
        (5, "a5", 1.0),
        (4, "a4", 1.0),
    ]
    assert [row["action"] for row in boss.get(page["next"]).json()["items"]] == ["a3", "a2"]
    assert boss.get("audit/?action=a1&target=tree:1").json()["items"][0]["seq"] == 1
