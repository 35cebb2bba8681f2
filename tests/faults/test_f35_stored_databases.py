"""F35: the database of every release so far is brought up to date, its work in flight goes on, its history is right."""

from __future__ import annotations

import shutil

import pytest

from tests.faults.stored import FLIGHT, file_of, load, releases
from tests.faults.support import INSIDE, Place
from tests.settings import POSTGRES
from tests.support_postgres import new_database, require

pytestmark = [pytest.mark.fault, pytest.mark.slow]

TABLES = ("tree", "task", "dependency", "run", "attempt", "event", "trigger", "auditentry", "apitoken")


def test_there_is_one_for_each_database():
    assert releases()
    for folder in releases():
        for postgres in (False, True):
            assert file_of(folder, postgres=postgres).stat().st_size > 1000


@pytest.fixture(params=releases(), ids=lambda folder: folder.name)
def old(request, nursery, template, tmp_path):
    """An installation on what the release has left."""
    path = file_of(request.param, postgres=POSTGRES)
    shutil.copy(template.folder / "secret_key", tmp_path / "secret_key")
    url = ""
    if POSTGRES:
        require()
        url = new_database()
        load(path, tmp_path / "effects", url=url)
    with Place(tmp_path, nursery, template, {}, url=url or f"sqlite:///{tmp_path}/apflow.sqlite3") as place:
        if not POSTGRES:
            load(path, place.effects, file=place.file)
        yield place


def test_f35_an_old_database_goes_on(old):
    before = {name: old.count(f"orchestration_{name}") for name in TABLES}
    assert min(before.values()) > 0, before
    ends = dict(old.all("SELECT status, count(*) FROM orchestration_run GROUP BY status"))
    assert ends.keys() == {"completed", "failed", "cancelled", "in_progress"}
    (flight,) = [pk for (pk,) in old.all("SELECT id FROM orchestration_run WHERE status = 'in_progress'")]
    old.go()
    server = old.server()
    assert old.run_ended(flight) == "completed"
    assert [attempt[1:3] for attempt in old.attempts(FLIGHT[0])] == [("failed", "engine_lost"), ("completed", "")]
    for name, count in before.items():
        assert old.count(f"orchestration_{name}") >= count, name
    verdict = old.call(f"{INSIDE}judge", str(old.effects), None, None)
    assert [fault for fault in verdict["faults"] if "effect" not in fault] == []  # those were on another machine
    assert old.count("auth_user WHERE username = 'soak'") == 1
    old.stop(server)
    again = old.server()
    assert "up to date" not in again.said().split("Serving")[0], "nothing is left to migrate"
