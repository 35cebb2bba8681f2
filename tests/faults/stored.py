"""A database as a release leaves it behind, with something of everything, stored as text: tests/data/<release>/.

python -m tests.faults.stored NAME [--postgres]: at the last commit of a release, for each database once. It stays there
for ever: every later release must read it.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import UUID

DATA = Path(__file__).resolve().parents[1] / "data"
EFFECTS = "/tmp/apflow-stored-effects"  # stands for the place where it is loaded
FLIGHT = ("flying", "waiting")  # tasks that are under way, and behind them, when the process is killed


def file_of(folder, *, postgres):
    return folder / ("postgresql.sql.gz" if postgres else "sqlite.sql.gz")


def releases():
    """Folders of stored databases, oldest first."""
    return sorted(path for path in DATA.glob("*") if path.is_dir())


def populate(place):
    """Runs of every end, attempts that failed and were tried again, copies, links, archives, one run in flight."""
    engine = place.running()
    web = place.web()
    again = {"max_attempts": 2, "backoff": {"strategy": "fixed", "base_s": 0}}
    good, bad = place.small(), place.begin(place.task("f", "soak_fail", **again), place.task("g", after=["f"]))
    stopped = place.begin(place.task("h", hold=True), place.task("i", after=["h"]))
    place.begun("h")
    place.post(web.url, f"runs/{stopped}/cancel/", {"reason": "so that it is stored"}, key="cancel-1")
    for run in (good, bad, stopped):
        place.run_ended(run)
    tree = place.one("SELECT tree_id FROM orchestration_run WHERE id = %s", good)
    root = UUID(str(place.one("SELECT id FROM orchestration_task WHERE tree_id = %s AND parent_id IS NULL", tree)))
    for verb in ("copy", "link", "archive"):
        answer = place.post(web.url, f"tasks/{root}/{verb}/", {}, key=verb)
        assert answer.status_code in (200, 201), answer.text
    place.post(web.url, f"trees/{tree}/triggers/", {"name": "stored", "per_minute": 5})
    place.post(web.url, f"trees/{tree}/runs/", {"mode": "all"}, key="again")
    place.wait(lambda: not place.count("orchestration_run WHERE status = 'in_progress'"), "the end of all")
    flight = place.begin(place.task(FLIGHT[0], hold=True), place.task(FLIGHT[1], after=[FLIGHT[0]]))
    place.begun(FLIGHT[0])
    place.kill(engine)
    place.kill(web)
    return flight


def dump(place, path, *, postgres):
    if postgres:
        from tests.support_postgres import binaries  # noqa: PLC0415  only there

        command = [
            binaries() / "pg_dump",
            "--no-owner",
            "--no-privileges",
            "--inserts",
            place.environment["DATABASE_URL"],
        ]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    else:
        with contextlib.closing(sqlite3.connect(place.file)) as file:
            text = "\n".join(file.iterdump())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def load(path, effects, *, url="", file=None):
    """What is stored in *path* into the empty PostgreSQL database *url*, or into the new SQLite *file*.

    Its tasks write to *effects*.
    """
    text = gzip.decompress(path.read_bytes()).decode()
    assert EFFECTS in text
    text = text.replace(EFFECTS, str(effects))
    if not url:
        with contextlib.closing(sqlite3.connect(file)) as opened:
            opened.executescript(text)
        return
    from tests.support_postgres import binaries  # noqa: PLC0415  only there

    command = [binaries() / "psql", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", url]
    subprocess.run(command, input=text, check=True, capture_output=True, text=True)


def main(name):
    from tests.faults.support import Place, Template, nursery_of  # noqa: PLC0415  after the environment is set
    from tests.settings import POSTGRES  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        places = [Path(folder) / part for part in ("nursery", "template", "place")]
        for place in places:
            place.mkdir()
        nursery = stack.enter_context(nursery_of(places[0]))
        made = stack.enter_context(Place(places[2], nursery, Template(places[1], nursery), {}))
        made.effects = Path(EFFECTS)
        made.effects.unlink(missing_ok=True)
        populate(made)
        dump(made, file_of(DATA / name, postgres=POSTGRES), postgres=POSTGRES)


if __name__ == "__main__":
    if "--postgres" in sys.argv:
        os.environ["APFLOW_TEST_DATABASE"] = "postgres"
        sys.argv.remove("--postgres")
    main(sys.argv[1])
