"""What is too large, or nowhere, is told in the language of the door."""

from __future__ import annotations

import json

import pytest
from django.test import Client

pytestmark = [pytest.mark.django_db, pytest.mark.limits]
PLAIN = ("/api/v1/trees/", "/api/v1/runs/1/events/", "/hooks/x")
RPC = ("/apflow", "/apflow/", "/apflow/tasks", "/apflow/system")


@pytest.fixture
def small(settings):
    settings.MAX_BODY_BYTES = 1000


def send(path, **headers):
    return Client().post(path, b"x" * 1001, content_type="application/json", headers=headers)


@pytest.mark.parametrize("path", PLAIN)
@pytest.mark.parametrize("headers", [{}, {"Accept": "text/event-stream"}, {"Accept": "text/html"}], ids=str)
def test_programs_get_json(small, path, headers):
    answer = send(path, **headers)
    assert (answer.status_code, answer["Content-Type"]) == (413, "application/json")
    assert json.loads(answer.content)["error"]["code"] == "body_too_large"


@pytest.mark.parametrize("path", RPC)
def test_the_protocol_gets_its_own_shape(small, path):
    answer = send(path)
    assert (answer.status_code, answer["Content-Type"]) == (413, "application/json")
    told = json.loads(answer.content)
    assert (told["jsonrpc"], told["id"], told["error"]["data"]["code"]) == ("2.0", None, "body_too_large")
    assert isinstance(told["error"]["code"], int)


def test_people_get_a_page(small):
    answer = send("/trees/new")
    assert answer.status_code == 413
    assert answer["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(("path", "code"), [("/apflow/nowhere", 404), ("/api/nowhere", 404), ("/hooks/nowhere", 404)])
def test_an_unknown_address_of_a_program_s_door_is_json(path, code):
    answer = Client().get(path)
    assert answer.status_code in (code, 405)
    assert answer["Content-Type"] == "application/json"
    assert "error" in json.loads(answer.content)


@pytest.mark.parametrize("path", ["/apflow/tasks", "/api/v1/trees/"])
def test_a_strange_host_is_refused_in_json(path, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    answer = Client().get(path, headers={"Host": "evil.example"})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/json")
