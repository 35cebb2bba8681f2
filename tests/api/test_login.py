"""Signing in: ten failures lock an account and an address for a quarter of an hour, whatever the password."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth import aauthenticate, authenticate
from django.db import connection
from django.test import Client, RequestFactory

from orchestration.models import AuditEntry, Throttle
from orchestration.services import throttle
from orchestration.services.throttle import TooMany
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def attempt(name="ann", password="wrong", address="192.0.2.1", path="/login/"):
    return Client(REMOTE_ADDR=address).post(path, {"username": name, "password": password})


def shown(answer):
    """The page without what differs from visit to visit."""
    text = re.sub(r"[A-Za-z0-9]{64}", "", answer.content.decode())
    return text.replace("ann", "who")


def age(seconds):
    """As if all failures had happened *seconds* earlier."""
    for row in Throttle.objects.all():
        row.times = [at - seconds for at in row.times]
        row.save()


@pytest.mark.parametrize("path", ["/login/", "/admin/login/"])
def test_the_eleventh_try_is_refused_also_with_the_right_password(path):
    make_user("ann", is_staff=True)
    for index in range(10):
        assert attempt(address=f"192.0.2.{index}", path=path).status_code == 200
    for password in ("wrong", "secret"):
        locked = attempt(password=password, address="198.51.100.7", path=path)
        assert locked.status_code == 429
        assert "locked: try again later" in locked.content.decode()
        assert 0 < int(locked["Retry-After"]) <= 900
    assert AuditEntry.objects.filter(action="login.locked").count() == 2
    age(901)
    assert attempt(password="secret", path=path).status_code == 302


def test_an_address_is_locked_for_all_accounts():
    make_user("ann")
    for index in range(10):
        attempt(name=f"nobody{index}")
    assert attempt(password="secret").status_code == 429
    assert attempt(password="secret", address="192.0.2.2").status_code == 302


def test_neighbours_of_version_6_share_a_network():
    make_user("ann")
    for index in range(10):
        attempt(name=f"nobody{index}", address=f"2001:db8::{index}")
    assert attempt(password="secret", address="2001:db8::ffff").status_code == 429
    assert attempt(password="secret", address="2001:db8:0:1::1").status_code == 302


def test_unknown_accounts_are_answered_like_known_ones():
    make_user("ann")
    known, unknown = ([attempt(name, address=f"192.0.2.{i}") for i in range(11)] for name in ("ann", "who"))
    for one, other in zip(known, unknown, strict=True):
        assert one.status_code == other.status_code
        assert shown(one) == shown(other)


def test_a_success_forgives_the_account_but_not_the_address():
    make_user("ann")
    for _ in range(9):
        attempt()
    assert attempt(password="secret").status_code == 302
    assert attempt().status_code == 200
    assert attempt(address="192.0.2.2").status_code == 200
    assert attempt().status_code == 429  # ten failures from this address


def test_names_count_whatever_their_case():
    for index in range(10):
        attempt("Ann" if index % 2 else "ANN ", address=f"192.0.2.{index}")
    assert attempt("ann", address="198.51.100.1").status_code == 429


@pytest.mark.django_db(transaction=True)
def test_parallel_tries_are_counted_one_by_one():
    make_user("ann")

    def once(_):
        try:
            return throttle.login_allowed(username="ann", address="192.0.2.1")
        except TooMany:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        allowed = [found for found in pool.map(once, range(20)) if found]
    assert len(allowed) == 10


def test_an_endless_password_is_not_hashed():
    answer = attempt(password="x" * 5000)
    assert answer.status_code == 400
    assert "password longer than 4096 characters" in answer.content.decode()


def test_a_proxy_is_believed_only_when_it_is_ours(settings):
    request = RequestFactory().get(
        "/", headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.4"}, REMOTE_ADDR="10.0.0.1"
    )
    assert throttle.client_address(request) == "10.0.0.1"
    settings.BEHIND_PROXY = True
    assert throttle.client_address(request) == "198.51.100.4"
    forged = RequestFactory().get("/", headers={"X-Forwarded-For": "<script>"}, REMOTE_ADDR="10.0.0.1")
    assert throttle.client_address(forged) == "10.0.0.1"


async def test_the_asynchronous_way_goes_through_the_throttle_too(transactional_db, closed_connections):
    for _ in range(10):
        assert await aauthenticate(username="who", password="x") is None
    with pytest.raises(TooMany):
        await aauthenticate(username="who", password="x")


def test_without_a_request_only_the_account_counts():
    make_user("ann")
    assert authenticate(username="ann", password="secret")
    assert authenticate(username=None, password="secret") is None
    assert not [key for key in Throttle.objects.values_list("pk", flat=True) if key.startswith("address")]
