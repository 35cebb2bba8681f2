"""Actions on many rows: said first, done in steps, each item through the service that a single one takes."""

from __future__ import annotations

import time

import pytest

from orchestration.builders.bulk import work_off
from orchestration.domain.operations import Bulk, Candidate, refusal
from orchestration.domain.states import Status
from orchestration.models import AuditEntry, BulkOperation, Run, Tree
from orchestration.services import bulk as services
from tests.dashboard.conftest import signed_in
from tests.dashboard.rows import end_run, end_task, start
from tests.factories import make_tree, make_user, task, task_named

pytestmark = pytest.mark.django_db


def text(response):
    return response.content.decode()


@pytest.fixture
def trees(db):
    return [make_tree(task(f"Tree {i}", executor=""), task("a"), owner=make_user("ann")) for i in range(4)]


@pytest.fixture
def ann(trees):
    return signed_in(make_user("ann"))


def post(client, kind, action, ids, **fields):
    response = client.post(f"/bulk/{kind}", {"action": action, "id": [str(i) for i in ids], **fields})
    assert response.status_code == 302, text(response)
    operation = BulkOperation.objects.get(pk=int(response.headers["Location"].rpartition("/")[2]))
    work_off("w1")
    operation.refresh_from_db()
    return operation


def complete(tree):
    run = start(tree)
    for each in tree.tasks.all():
        end_task(run, each)
    return end_run(run, Status.COMPLETED)


def test_the_preview_names_what_will_happen_and_what_is_left_out(ann, trees):
    start(trees[0])
    page = text(ann.get("/bulk/trees", {"action": "run", "id": [t.pk for t in trees]}))
    assert "Run 3 trees?" in page
    assert "Tree 1" in page
    assert "a run is active" in page
    assert not Run.objects.exclude(tree=trees[0]).exists()


def test_a_preview_of_what_is_not_possible_offers_no_button(ann, trees):
    page = text(ann.get("/bulk/trees", {"action": "cancel", "id": [trees[0].pk]}))
    assert "Nothing of what you have chosen allows this" in page
    assert "btn-danger" not in page


def test_trees_are_run_cancelled_and_deleted(ann, trees):
    ids = [tree.pk for tree in trees]
    ran = post(ann, "trees", "run", ids)
    assert (ran.state, ran.done, ran.failed) == ("done", 4, 0)
    cancelled = post(ann, "trees", "cancel", ids, reason="wrong day")
    assert (cancelled.done, cancelled.failed) == (4, 0)
    assert set(Run.objects.values_list("reason", flat=True)) == {"wrong day"}
    assert post(ann, "trees", "delete", ids[:2]).done == 2
    assert list(Tree.objects.order_by("pk")) == trees[2:]


def test_runs_are_cancelled_by_their_own_list(ann, trees):
    runs = [start(tree) for tree in trees]
    assert post(ann, "runs", "cancel", [run.pk for run in runs]).failed == 0
    assert not Run.objects.filter(cancel_requested_at=None).exists()


def test_trees_are_copied_archived_and_labelled(ann, trees):
    complete(trees[0])
    assert post(ann, "trees", "copy", [trees[1].pk]).failed == 0
    assert post(ann, "trees", "archive", [trees[0].pk, trees[1].pk]).refused == 1
    assert Tree.objects.exclude(archived_at=None).count() == 1
    post(ann, "trees", "label", [trees[2].pk], label_text="night")
    trees[2].refresh_from_db()
    assert trees[2].labels == ["night"]


def test_only_what_did_not_complete_is_run_again(ann, trees):
    run = start(trees[0])
    end_task(run, task_named(trees[0], "a"), Status.FAILED, error="disk full")
    end_run(run, Status.FAILED)
    complete(trees[1])
    page = text(ann.get("/bulk/trees", {"action": "rerun", "id": [trees[0].pk, trees[1].pk]}))
    assert "there is nothing to repair" in page
    assert post(ann, "trees", "rerun", [trees[0].pk, trees[1].pk]).total == 1


def test_everything_that_matches_is_meant_but_nothing_that_came_later(ann, trees):
    page = text(ann.get("/bulk/trees", {"action": "run", "all": "1", "q": "Tree"}))
    assert "Run 4 trees?" in page
    late = make_tree(task("Tree late", executor=""), task("a"), owner=make_user("ann"))
    ann.post("/bulk/trees", {"action": "run", "all": "1", "q": "Tree", "upto": trees[-1].pk})
    work_off("w1")
    assert Run.objects.count() == 4
    assert not Run.objects.filter(tree=late).exists()


def test_an_item_that_fails_is_told_and_the_others_are_done(ann, trees):
    response = ann.post("/bulk/trees", {"action": "delete", "id": [t.pk for t in trees]})
    start(trees[1])
    work_off("w1")
    operation = BulkOperation.objects.get()
    assert (operation.done, operation.failed) == (4, 1)
    page = text(ann.get(response.headers["Location"]))
    assert "Tree 1" in page
    assert "is active" in page


def test_an_operation_is_stopped_between_steps(ann, trees, monkeypatch):
    monkeypatch.setattr(services, "STEP", 1)
    ann.post("/bulk/trees", {"action": "run", "id": [t.pk for t in trees]})
    operation = BulkOperation.objects.get()
    done = []

    def pause():
        done.append(1)
        if len(done) == 2:
            assert ann.post(f"/operations/{operation.pk}/stop").status_code == 302

    work_off("w1", pause)
    operation.refresh_from_db()
    assert (operation.state, operation.done) == ("aborted", 2)
    assert Run.objects.count() == 2
    assert ann.post(f"/operations/{operation.pk}/stop").status_code == 409


def test_another_worker_goes_on_where_a_dead_one_stopped(ann, trees, monkeypatch):
    monkeypatch.setattr(services, "STEP", 1)
    ann.post("/bulk/trees", {"action": "copy", "id": [t.pk for t in trees]})
    operation = BulkOperation.objects.get()
    assert services.operation_claim(operation.pk, "dead")

    class Crash(Exception):
        pass

    def perform(_user, _operation, item):
        if item == trees[1].pk:
            raise Crash
        Tree.objects.filter(pk=item).update(labels=["done"])

    assert services.operation_step(operation.pk, "dead", perform)
    assert services.operation_step(operation.pk, "dead", perform)
    with pytest.raises(Crash):
        services.operation_step(operation.pk, "dead", perform)
    assert work_off("w2") == 0  # the dead one may only be slow
    BulkOperation.objects.update(heartbeat_at=operation.created_at - services.ALIVE)
    assert work_off("w2") == 1
    operation.refresh_from_db()
    assert (operation.state, operation.done) == ("done", 4)
    assert not services.operation_step(operation.pk, "dead", perform)


def test_there_is_one_audit_record(ann, trees):
    post(ann, "trees", "run", [t.pk for t in trees])
    entry = AuditEntry.objects.get(action="bulk.run")
    assert entry.actor == "ann"
    assert '"total": 4' in entry.details


def test_a_stranger_s_rows_are_not_touched(trees, ann):
    eve = signed_in(make_user("eve"))
    assert eve.post("/bulk/trees", {"action": "delete", "id": [trees[0].pk]}).status_code == 409
    ann.post("/bulk/trees", {"action": "run", "id": [trees[0].pk]})
    assert eve.get(f"/operations/{BulkOperation.objects.get().pk}").status_code == 404
    assert "Run 1 tree" not in text(eve.get("/operations/"))
    assert "Run 1 tree" in text(ann.get("/operations/"))


def test_a_viewer_may_not(trees):
    vera = signed_in(make_user("vera", role="viewer"))
    assert vera.get("/bulk/trees", {"action": "run", "all": "1"}).status_code == 403


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/bulk/trees?action=explode&id=1", 400),
        ("/bulk/trees?action=run", 400),
        ("/bulk/runs?action=delete&all=1", 400),
        ("/bulk/tasks?action=run&all=1", 404),
        ("/operations/999", 404),
    ],
)
def test_nonsense_is_refused(ann, url, status):
    assert ann.get(url).status_code == status


def test_ten_thousand_matching_rows_are_accepted_at_once(ann, trees):
    now, owner = trees[0].created_at, trees[0].owner
    rows = (Tree(name=f"many {i}", owner=owner, created_at=now, updated_at=now) for i in range(10_000))
    Tree.objects.bulk_create(rows, batch_size=1000)
    begun = time.process_time()
    response = ann.post("/bulk/trees", {"action": "label", "all": "1", "q": "many", "label_text": "x"})
    assert response.status_code == 302
    assert time.process_time() - begun < 2
    assert BulkOperation.objects.get().total == 10_000


def test_a_shared_tree_is_refused_by_right():
    item = Candidate(1, "x", owned=False, may_run=False, archived=False, status="", active=False)
    assert "viewing" in refusal(Bulk.RUN, item)
    assert "somebody else" in refusal(Bulk.DELETE, item)
    assert refusal(Bulk.COPY, item) == ""
