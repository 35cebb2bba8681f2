"""F25: every two of run, re-execute, cancel, archive, edit, copy and delete at the same moment.

Once on trees whose run has ended and once on trees whose run goes on; what is started meanwhile goes on, too, so that
no answer depends on how soon a run ends.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections import Counter
from uuid import UUID

import httpx
import pytest

pytestmark = [pytest.mark.fault, pytest.mark.slow]

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
REFUSED = {400, 404, 409, 412}
FINE = {200, 201, 202, 204}
ENDED, GOING = "ended", "goes on"
ALONE = {ENDED: {"run", "re-execute", "archive", "edit", "copy", "delete"}, GOING: {"cancel", "copy"}}
"""What succeeds when nobody else does anything."""
NEVER_BOTH = {
    ("run", "run"), ("re-execute", "run"), ("re-execute", "re-execute"), ("delete", "run"), ("delete", "re-execute"),
    ("delete", "delete"), ("edit", "edit"),
}  # fmt: skip
"""On a tree whose run has ended: after one of them the other is refused."""


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


PAIRS = list(itertools.combinations_with_replacement(sorted(actions((0,) * 5)), 2))


class Case:
    """A pair, the tree that it is tried on, and what came of it."""

    def __init__(self, state, pair, name, tree):
        self.state, self.pair, self.name = state, pair, name
        self.tree, self.run = tree[0], tree[3]
        self.actions = actions((tree[0], UUID(tree[1]), UUID(tree[2]), *tree[3:]))
        self.codes = [0, 0]

    def __repr__(self):
        return f"{self.name} {self.state}: {list(zip(self.pair, self.codes, strict=True))}"

    def fine(self, *names):
        """How many of these succeeded."""
        return sum(name in names and code in FINE for name, code in zip(self.pair, self.codes, strict=True))

    def try_both(self, gate, clients, url):
        """Two requests that start together."""

        def ask(at):
            method, path, body = self.actions[self.pair[at]]
            gate.wait(60)
            self.codes[at] = clients[at].request(method, f"{url}/api/v1/{path}", json=body).status_code

        other = threading.Thread(target=ask, args=(1,))
        other.start()
        ask(0)
        other.join(60)

    def answered_well(self):
        """Done or refused with a reason; one of those that exclude each other, and never none of those that may."""
        if not set(self.codes) <= FINE | REFUSED:
            return False
        may = ALONE[self.state] & set(self.pair)
        if may and not self.fine(*may):
            return False
        if self.state == ENDED:
            return not self.fine("cancel") and not (self.pair in NEVER_BOTH and self.fine(*self.pair) == 2)
        others = set(self.pair) - may
        after_a_cancel = {"run", "re-execute", "edit", "delete"} if "cancel" in self.pair else set()
        return not self.fine(*(others - after_a_cancel))


def begun(place, number, state):
    """A case for each pair, on a tree whose run has begun."""
    names = [f"{state} {number}.{at}" for at in range(len(PAIRS))]
    tasks = [place.task("a", hold=True), place.task("b", after=["a"])]
    trees = place.call("tests.faults.inside:begin_many", [[{"id": "root", "name": n}, *tasks] for n in names])
    return [Case(state, *row) for row in zip(PAIRS, names, trees, strict=True)]


def all_ended(place):
    place.wait(lambda: not place.count("orchestration_run WHERE status = 'in_progress'"), "the end of all runs", 120)


def both_kinds(place, number):
    """Cases on trees whose run has ended, and on trees whose run goes on until `place.go`."""
    ended = begun(place, number, ENDED)
    place.go()
    all_ended(place)
    os.unlink(f"{place.effects}.go")
    going = begun(place, number, GOING)
    live = "orchestration_attempt WHERE status = 'in_progress'"
    place.wait(lambda: place.count(live) == len(PAIRS), "the start of all", 60)
    return ended + going


def rows(place):
    """What there is: runs and trees by what identifies them."""
    return (
        dict(place.all("SELECT id, status FROM orchestration_run")),
        Counter(tree for (tree,) in place.all("SELECT tree_id FROM orchestration_run")),
        Counter(place.all("SELECT name, origin_type FROM orchestration_tree")),
        {tree for (tree,) in place.all("SELECT tree_id FROM orchestration_task WHERE name = 'other'")},
    )


def as_answered(case, ends, runs, trees, edited):
    """Whether the rows tell the same as the answers."""
    copies = (trees[case.name, "copy"], trees[case.name, "archive"])
    if copies != (case.fine("copy"), case.fine("archive")):
        return False
    if case.fine("delete"):
        return not runs[case.tree] and not trees[case.name, "create"] and case.run not in ends
    return (
        trees[case.name, "create"] == 1
        and runs[case.tree] == 1 + case.fine("run", "re-execute")
        and ends[case.run] == ("cancelled" if case.fine("cancel") else "completed")
        and (case.tree in edited) == bool(case.fine("edit"))
    )


def test_f25_all_pairs(make):
    """Each is done or refused with a reason; never both of two that exclude each other, never a mixed state."""
    place = make(APFLOW_ASYNC_SLOTS="200", APFLOW_API_WRITES_PER_MINUTE="100000")
    server = place.server()
    cases, gate = [], threading.Barrier(2)
    with contextlib.ExitStack() as stack:
        own = {"timeout": 60, "trust_env": False, "headers": place.client.headers, "verify": False}
        clients = [stack.enter_context(httpx.Client(**own)) for _ in range(2)]
        for number in range(ROUNDS):
            made = both_kinds(place, number)
            for case in made:
                case.try_both(gate, clients, server.url)
            place.go()
            all_ended(place)
            cases += made
    assert [case for case in cases if not case.answered_well()] == []
    found = rows(place)
    assert [case for case in cases if not as_answered(case, *found)] == []
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
