"""DATABASE_URL decides; what cannot be right is refused by name, and the password is never shown."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from apflow_site.databases import database


def made(url, tmp_path, pool=20):
    return database(url, tmp_path, pool=pool, synchronous="FULL")


def test_without_an_address_it_is_a_file_of_the_data_directory(tmp_path):
    found = made("", tmp_path)
    assert (found["ENGINE"], found["NAME"]) == ("orchestration.sqlite3", tmp_path / "apflow.sqlite3")
    assert found["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_another_file(tmp_path):
    assert made(f"sqlite:///{tmp_path}/a%20b.sqlite3", tmp_path)["NAME"] == tmp_path / "a b.sqlite3"


def test_how_long_to_wait_for_a_lock(tmp_path):
    assert made("", tmp_path)["OPTIONS"]["timeout"] == 20
    assert made(f"sqlite:///{tmp_path}/a", tmp_path)["OPTIONS"]["timeout"] == 20
    assert made(f"sqlite:///{tmp_path}/a?timeout=1.5", tmp_path)["OPTIONS"]["timeout"] == 1.5


def test_postgresql(tmp_path):
    found = made("postgresql://Ann%40x:p%3Aw%2F%25@Db.Example.org:6432/fl%20ows?sslmode=require", tmp_path)
    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert [found[key] for key in ("USER", "PASSWORD", "PORT", "NAME")] == ["Ann@x", "p:w/%", "6432", "fl ows"]
    assert found["HOST"].lower() == "db.example.org"
    assert found["OPTIONS"]["sslmode"] == "require"
    assert found["OPTIONS"]["pool"]["max_size"] == 20
    assert found["CONN_MAX_AGE"] == 0


@pytest.mark.parametrize(
    ("place", "host", "port"),
    [
        ("%2Fvar%2FRun%2Fpg", "/var/Run/pg", ""),
        ("u@%2Fvar%2FRun%2Fpg:5433", "/var/Run/pg", "5433"),
        ("[::1]:5433", "::1", "5433"),
        ("", "", ""),
    ],
)
def test_places(tmp_path, place, host, port):
    found = made(f"postgres://{place}/apflow", tmp_path)
    assert (found["HOST"], found["PORT"]) == (host, port)


def test_no_pool(tmp_path):
    assert "pool" not in made("postgres://h/apflow", tmp_path, pool=0)["OPTIONS"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://u:secret@h/x", "'mysql' is no known database"),
        ("postgres://u:secret@h", "the name of the database is missing"),
        ("postgres://u:secret@h/", "the name of the database is missing"),
        ("postgres://u:secret@h/a/b", "has a '/'"),
        ("postgres://u:secret@h:port/x", "the port is no number"),
        ("postgres://u:sec/ret:secret@h/x", "%2F"),
        ("postgres://u:secret@h/x?sslmod=require", "unknown option 'sslmod'"),
        ("secret", "is no known database"),
        ("sqlite://var/x", "three slashes"),
        ("sqlite:///var/x?timeout=soon", "a number of seconds"),
        ("sqlite:///var/x?timeout=0", "a number of seconds"),
        ("sqlite:///var/x?timeout=nan", "a number of seconds"),
        ("sqlite:///var/x?timeout=601", "a number of seconds"),
        ("sqlite:///var/x?mode=secret&mode=ro", "unknown option 'mode'"),
    ],
)
def test_what_cannot_be_right_is_refused(tmp_path, url, said):
    with pytest.raises(ImproperlyConfigured) as refused:
        made(url, tmp_path)
    assert str(refused.value).startswith("DATABASE_URL: ")
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)
