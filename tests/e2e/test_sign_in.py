"""The way in and out: everybody else's windows are those of people who have gone it."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect


def test_the_printed_password_leads_where_one_wanted_and_signing_out_back(window, server):
    page = window(None)
    page.goto("/trees/?all=1")
    for password in ("not it", server.password):
        page.get_by_label("User name").fill("admin")
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        if password == "not it":
            expect(page.get_by_role("alert")).to_contain_text("do not match")
    expect(page).to_have_url(f"{server.url}/trees/?all=1")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/login/"))
    page.goto("/trees/")
    expect(page).to_have_url(re.compile("/login/"))
