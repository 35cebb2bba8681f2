"""F10: the file of the database is read-only, deleted, replaced, cut short: exit 4, and no empty one in its place."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.settings import POSTGRES

pytestmark = [
    pytest.mark.fault,
    pytest.mark.slow,
    pytest.mark.skipif(POSTGRES, reason="only on SQLite: about its file"),
]

GONE = 4


@pytest.fixture
def used(place):
    """An installation that was in use, and is stopped."""
    server = place.server()
    run = place.small()
    assert place.run_ended(run) == "completed"
    place.stop(server)
    return place


def refused(place, *words, start=None):
    """Neither the server nor one without an engine starts; what they say has all *words*."""
    for options in ((), ("--no-engine",)):
        child = (start or place.server)(*options, wait=False)
        assert place.ended(child) == GONE, place.log("up")
        said = place.log("up")
        for word in words:
            assert word in said
        (place.folder / "up.log").unlink()


def test_f10_deleted_while_stopped(used):
    shutil.copy(used.file, used.folder / "backup")
    used.file.unlink()
    refused(used, "is gone", "restore a backup", "database.made")
    assert not used.file.exists(), "an empty one in its place"
    shutil.copy(used.folder / "backup", used.file)
    used.server()
    run = used.begin(used.task("again"))
    assert used.run_ended(run) == "completed"


def test_f10_empty_and_cut_short(used):
    whole = used.file.read_bytes()
    used.file.write_bytes(b"")
    refused(used, "is empty")
    assert used.file.stat().st_size == 0
    for size in (len(whole) // 2, 4096, 50):
        used.file.write_bytes(whole[:size])
        refused(used, "cut short", "restore a backup")
        assert used.file.stat().st_size == size
    used.file.write_bytes(whole)
    used.server()


def test_f10_another_file_in_its_place(used):
    used.file.write_bytes(b"these are not the rows you are looking for" * 200)
    refused(used, "no SQLite database")


def test_f10_read_only(used):
    """Root may write everywhere: as root, the server does without what makes root so mighty."""
    used.file.chmod(0o400)
    try:
        refused(used, "read-only", start=used.powerless if os.geteuid() == 0 else None)
    finally:
        used.file.chmod(0o600)
    used.server()


@pytest.mark.parametrize("how", ["deleted", "replaced"])
@pytest.mark.parametrize("options", [(), ("--no-engine",)], ids=["engine", "pages"])
def test_f10_while_it_is_in_use(place, how, options):
    server = place.server(*options)
    place.begin(place.task("a", hold=True))
    if how == "deleted":
        place.file.unlink()
    else:
        other = place.folder / "other"
        shutil.copy(place.file, other)
        os.replace(other, place.file)
    assert place.ended(server, 30) == GONE, place.log("up")
    assert f"was {how}" in place.log("up")
    assert "Traceback" not in place.log("up")
    if how == "deleted":
        assert not place.file.exists()
        refused(place, "is gone")


def test_a_first_start_and_another_file_are_no_loss(make):
    place = make()
    place.file.unlink()
    place.stop(place.server())
    assert (place.folder / "database.made").read_text().strip() == str(place.file)
    place.environment["DATABASE_URL"] = f"sqlite:///{place.folder}/second.sqlite3"
    place.server()
    assert (place.folder / "second.sqlite3").exists()
