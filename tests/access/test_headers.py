"""What a browser is told with every answer, and what it must send along with every change."""

from __future__ import annotations

import json
import re

import pytest
from django.conf import settings
from django.test import Client
from django.utils.csp import CSP

from orchestration.models import AuditEntry, Run, Task, Tree
from tests.access import matrix
from tests.access.world import UNSAFE, for_programs, routes

pytestmark = [pytest.mark.django_db, pytest.mark.authz]
FOR_ALL = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
POLICY = {"default-src": "'self'", "script-src": "'self'", "style-src": "'self'", "object-src": "'none'",
          "base-uri": "'none'", "form-action": "'self'", "frame-ancestors": "'none'"}  # fmt: skip
# no cookie says who asks: the address itself is the secret, or nobody has signed in and nothing is changed
WITHOUT_COOKIE = ("^hooks", "^api/", "api/v1/audit/")


def directives(answer):
    parts = (part.strip().partition(" ") for part in answer["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts}


def check(answer, where):
    for name, value in FOR_ALL.items():
        assert answer.get(name) == value, (name, where)
    told = directives(answer)
    assert {name: told.get(name) for name in POLICY} == POLICY, where
    assert "unsafe" not in answer["Content-Security-Policy"], where
    for name in ("Access-Control-Allow-Origin", "Server", "X-Powered-By"):
        assert name not in answer, (name, where)


@pytest.mark.parametrize("role", ["anonymous", "owner", "superuser", "read token"])
def test_every_answer_is_guarded(world, role):
    stored, rows = [], matrix.rows()
    for route in dict.fromkeys(routes()):
        for method in ("GET", *(m for m in UNSAFE if (m, route) in rows)):
            answer = world.ask(role, method, route)
            check(answer, (role, method, route, answer.status_code))
            known = (
                role != "anonymous" and (role != "read token" or for_programs(route)) and not route.startswith("^hooks")
            )
            if known and "no-store" not in answer.get("Cache-Control", ""):
                stored.append((method, route, answer.status_code))
    assert stored == []


def test_the_policy_in_the_settings_has_no_hole():
    assert {CSP.UNSAFE_INLINE, CSP.UNSAFE_EVAL}.isdisjoint(
        value for part in settings.SECURE_CSP.values() for value in part
    )


def test_htmx_asks_its_own_origin_only(world):
    """Nor does a page give it a nonce for scripts that come with an answer."""
    for path, client in (("/login/", Client()), ("/", world.clients["owner"]), ("/nowhere", world.clients["owner"])):
        page = client.get(path).content.decode()
        (told,) = re.findall(r"""<meta name="htmx-config" content='([^']*)'>""", page)
        assert json.loads(told)["mode"] == "same-origin"
        assert "inlineScriptNonce" not in told
    loading = [
        page.name for page in (settings.BASE_DIR / "templates").rglob("*.html") if "htmx.min" in page.read_text()
    ]
    assert loading == ["base.html"], "who loads it says so, too"


def test_errors_are_guarded_too(world):
    for client in (Client(), world.clients["owner"]):
        for path in ("/nowhere", "/api/v1/nowhere/", "/static/nowhere.js", "/runs/999999"):
            answer = client.get(path)
            check(answer, path)


def unsafe_rows():
    """(method, route) of what changes something for somebody with a session."""
    return [(m, r) for m, r in matrix.rows() if m in UNSAFE and not r.startswith(WITHOUT_COOKIE)]


def test_every_change_needs_the_csrf_token(world):
    """A form of another site carries the cookie, but not the token."""
    counts = [model.objects.count() for model in (Tree, Task, Run, AuditEntry)]
    for method, route in unsafe_rows():
        role = "superuser" if route.startswith("admin/") else "owner"
        client = Client(enforce_csrf_checks=True)
        client.cookies = world.clients[role].cookies
        answer = world.ask(role, method, route, client=client)
        assert answer.status_code == 403, (method, route, answer.status_code)
        assert b"csrf" in answer.content.lower(), (method, route)
    assert [model.objects.count() for model in (Tree, Task, Run, AuditEntry)] == counts


def test_reading_changes_nothing(world):
    for method, route in matrix.rows():
        if method == "GET" and not route.startswith("admin/"):
            before = [list(model.objects.values()) for model in (Tree, Task, Run)]
            world.clients["owner"].get(world.address(route))
            assert [list(model.objects.values()) for model in (Tree, Task, Run)] == before, route
