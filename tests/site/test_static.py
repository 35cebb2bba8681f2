"""Scripts and styles arrive compressed where the browser takes that, and as they are elsewhere."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.factories import make_tree, make_user, task

STATIC = Path(__file__).resolve().parents[2] / "static"
SHEET = (STATIC / "dashboard.css").read_bytes()


@pytest.mark.parametrize("accepts", ["gzip", "gzip, deflate, br", "br, gzip;q=0.5"])
def test_texts_are_compressed(client, accepts):
    response = client.get("/static/dashboard.css", headers={"Accept-Encoding": accepts})
    assert gzip.decompress(response.content) == SHEET
    assert response["Content-Encoding"] == "gzip"
    assert int(response["Content-Length"]) == len(response.content) < len(SHEET) / 3
    assert response["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("accepts", ["", "identity", "br", "gzip;q=0", "gzip;q=0.0, br"])
def test_who_does_not_take_it_gets_the_text(client, accepts):
    response = client.get("/static/dashboard.css", headers={"Accept-Encoding": accepts})
    assert response.content == SHEET
    assert "Content-Encoding" not in response
    assert response["Vary"] == "Accept-Encoding"


def test_what_is_compressed_already_stays(client):
    response = client.get("/static/vendor/htmx.min.js", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(response.content) == (STATIC / "vendor" / "htmx.min.js").read_bytes()


def test_parts_and_unchanged_files_are_left_alone(client):
    part = client.get("/static/dashboard.css", headers={"Accept-Encoding": "gzip", "Range": "bytes=0-599"})
    assert (part.status_code, part.content) == (206, SHEET[:600])
    first = client.get("/static/dashboard.css", headers={"Accept-Encoding": "gzip"})
    again = client.get(
        "/static/dashboard.css",
        headers={"Accept-Encoding": "gzip", "If-Modified-Since": first["Last-Modified"]},
    )
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.django_db
def test_large_pages_are_compressed_and_small_ones_are_not(client):
    user = make_user("ann")
    tree = make_tree(task("Many", executor=""), *(task(f"task {i}") for i in range(150)), owner=user)
    client.force_login(user)
    packed = {"Accept-Encoding": "gzip"}
    large, small = (client.get(url, headers=packed) for url in (f"/trees/{tree.pk}", "/queue/"))
    assert large["Content-Encoding"] == "gzip"
    assert "task 149" in gzip.decompress(large.content).decode()
    assert len(large.content) < len(client.get(f"/trees/{tree.pk}").content) / 4
    assert "Content-Encoding" not in small
    assert "Content-Encoding" not in client.get("/api/v1/schema/", headers=packed)
