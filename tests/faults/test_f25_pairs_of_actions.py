"""F25: every two of run, re-execute, cancel, archive, edit, copy and delete at the same moment."""

from __future__ import annotations

import itertools
import threading
from uuid import UUID

import httpx
import pytest

pytestmark = [pytest.mark.fault, pytest.mark.slow]

REFUSED = {400, 404, 409, 412}
FINE = {200, 201, 202, 204}


def actions(tree):
    tree_id, root, leaf, run, version = tree
    return {
        "run": ("POST", f"trees/{tree_id}/runs/", {"mode": "all"}),
        "re-execute": ("POST", f"runs/{run}/retry/", {"mode": "all"}),
        "cancel": ("POST", f"runs/{run}/cancel/", {"reason": "pair"}),
        "archive": ("POST", f"tasks/{root}/archive/", {}),
        "edit": ("PATCH", f"tasks/{leaf}/", {"version": version, "name": "other"}),
        "copy": ("POST", f"tasks/{root}/copy/", {}),
        "delete": ("DELETE", f"trees/{tree_id}/", None),
    }


NAMES = sorted(actions((0,) * 5))


def made(place, number):
    """A tree with an ended run: (id, root, leaf, run, version of the leaf)."""
    run = place.begin(place.task(f"a{number}"), place.task(f"b{number}", after=[f"a{number}"]))
    assert place.run_ended(run) == "completed"
    tree = place.one("SELECT tree_id FROM orchestration_run WHERE id = %s", run)
    rows = place.all("SELECT id, version FROM orchestration_task WHERE tree_id = %s ORDER BY position", tree)
    (root, _), *_, (leaf, version) = rows
    return tree, UUID(str(root)), UUID(str(leaf)), run, version


def both(place, url, first, second):
    """Status codes of two requests that start together."""
    gate = threading.Barrier(2)
    codes = [0, 0]

    def ask(at, method, path, body):
        with httpx.Client(timeout=60, trust_env=False, headers=place.client.headers) as client:
            gate.wait()
            codes[at] = client.request(method, f"{url}/api/v1/{path}", json=body).status_code

    threads = [threading.Thread(target=ask, args=(at, *what)) for at, what in enumerate((first, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


def test_f25_all_pairs(place):
    """Each is done or refused with a reason; never both of two that exclude each other, never a mixed state."""
    server = place.server()
    pairs = list(itertools.combinations_with_replacement(NAMES, 2))
    odd = []
    for number, (one, other) in enumerate(pairs):
        what = actions(made(place, number))
        codes = both(place, server.url, what[one], what[other])
        if not set(codes) <= FINE | REFUSED:
            odd.append((one, other, codes))
    assert odd == []
    place.wait(lambda: not place.count("orchestration_run WHERE status = 'in_progress'"), "the end of all runs", 60)
    assert place.all(  # one may begin as soon as the other has ended
        "SELECT a.tree_id FROM orchestration_run a JOIN orchestration_run b ON b.tree_id = a.tree_id AND b.id > a.id "
        "WHERE b.started_at < a.completed_at"
    ) == []  # fmt: skip
    assert place.all(
        "SELECT tree_id, number, count(*) FROM orchestration_run GROUP BY tree_id, number HAVING count(*) > 1"
    ) == []  # fmt: skip
    assert "Traceback" not in place.log("up"), place.log("up")
    faults = place.call("orchestration.soak.inside:judge", str(place.effects), None, None)["faults"]
    deleted = [fault for fault in faults if "effects in 0 attempts" in fault]
    assert [fault for fault in faults if fault not in deleted] == []
