"""Every route, asked by everybody. A route or a method without a row fails."""

from __future__ import annotations

import pytest
from django.test import override_settings
from django.urls import include, path

from dashboard.views import overview
from tests.access import matrix
from tests.access.world import ROLES, UNSAFE, for_programs, routes

pytestmark = [pytest.mark.django_db, pytest.mark.authz]
NUMBERS = {401: "l", 403: "f", 404: "n", 405: "-"}
CODES = {-32004: "l", -32001: "n"}  # of the apflow protocol, whose answers are 200
ADMIN = "admin/"  # its pages do not look at the method, but always at the person
urlpatterns = [path("brand-new", overview.overview), path("", include("apflow_site.urls"))]


def letter(route, answer):
    if answer.status_code == 302 and "/login/" in answer["Location"]:
        return "l"
    if route.startswith("apflow") and answer.status_code == 200 and "error" in answer.json():
        return CODES.get(answer.json()["error"]["code"], "?")
    assert answer.status_code < 500 or route == "readyz", (route, answer.status_code, answer.content[:300])
    return NUMBERS.get(answer.status_code, "y")


@pytest.mark.parametrize(("methods", "letters", "found"), matrix.ROWS)
def test_matrix(world, methods, letters, found):
    wrong = []
    for route in found:
        for method in methods.split():
            got = "".join(letter(route, world.ask(role, method, route)) for role in ROLES)
            if got != letters.replace(" ", ""):
                wrong.append((method, route, dict(zip(ROLES, got, strict=True))))
    assert wrong == []


def unlisted():
    known = {route for _, route in matrix.rows()}
    return [route for route in routes() if route not in known]


def test_no_route_is_without_a_row():
    assert unlisted() == []
    assert [route for _, route in matrix.rows() if route not in routes()] == []
    assert all(len(letters) == len(ROLES) for letters in matrix.rows().values())


@override_settings(ROOT_URLCONF=__name__)
def test_a_new_route_is_noticed():
    assert unlisted() == ["brand-new"]


def test_no_method_is_without_a_row(world):
    """What has no row for a method refuses it, also to the owner and the superuser."""
    known = matrix.rows()
    rest = [(m, r) for r in dict.fromkeys(routes()) for m in ("GET", *UNSAFE) if (m, r) not in known]
    for method, route in rest:
        for role in ("owner",) if route.startswith(ADMIN) else ("owner", "superuser"):  # who sees all of ADMIN's pages
            answer = world.ask(role, method, route)
            if route == "login/":
                assert answer["Location"] == "/"  # who is signed in is led away, whatever they send
            elif not route.startswith(ADMIN):
                assert letter(route, answer) == "-", (method, route, answer.status_code)
            elif route not in ("admin/login/", "admin/logout/"):
                assert letter(route, answer) == "l", (method, route, answer.status_code)


def test_rows_of_programs_and_pages_differ_for_tokens():
    for (_, route), letters in matrix.rows().items():
        if not for_programs(route) and "l" in letters:
            assert letters.endswith("ll"), route
