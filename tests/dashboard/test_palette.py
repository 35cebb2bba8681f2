"""The palette finds what its user may see."""

from __future__ import annotations

import pytest

from tests.dashboard.conftest import signed_in
from tests.dashboard.rows import start
from tests.factories import make_user

HTMX = {"HX-Request": "true"}


def found(client, text, **headers):
    return client.get("/palette", {"q": text}, headers=headers).content.decode()


def test_trees_runs_tasks_and_actions_are_found(clients, tree):
    run = start(tree)
    page = found(clients["ann"], "repo")
    assert tree.get_absolute_url() in page
    assert run.get_absolute_url() in page
    assert f"action=run&amp;id={tree.pk}" in page
    assert str(tree.tasks.get(name="load").pk) in found(clients["ann"], "loa")
    assert run.get_absolute_url() in found(clients["ann"], f"#{run.pk}")


def test_a_stranger_finds_nothing(clients, tree):
    assert "Nothing is called" in found(clients["eve"], "Report")


def test_pages_are_offered_without_letters(clients):
    page = found(clients["ann"], "")
    assert 'href="/queue/"' in page
    assert 'href="/me" data-theme-toggle' in page
    assert "/admin/" not in page


def test_htmx_gets_options_and_a_browser_a_page(clients):
    part = clients["ann"].get("/palette", headers=HTMX)
    assert 'role="option"' in part.content.decode()
    assert "<!doctype" not in part.content.decode()
    assert "<!doctype" in found(clients["ann"], "")


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["<script>", "#" * 50, "9" * 30, "%", "\x00", "' OR 1=1"])
def test_any_letters_give_a_page(text):
    page = found(signed_in(make_user("ann")), text)
    assert "<script>&" not in page
    assert "Search" in page
