from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestration.builders.archive import tree_archive
from orchestration.builders.copy import preview_copy, tree_copy
from orchestration.builders.link import preview_link, tree_link
from orchestration.domain.errors import AlreadyRunning, Conflict, Forbidden, NotFound
from orchestration.models import Run, Task, Tree
from orchestration.selectors.lineage import links_with_newer_results, newer_result
from orchestration.services.runs import run_start
from orchestration.services.transitions_snapshot import link_move
from orchestration.services.trees import task_update, tree_delete
from tests.builders.support import (
    count_rows,
    make_chain,
    make_source,
    outline,
    result_of,
    root_of,
    run_tree,
    same_as_preview,
    share,
    state_of,
    statuses,
)
from tests.factories import make_user, task_named

pytestmark = pytest.mark.django_db


def link_to(tree, name="r", **fields):
    return tree_link(user=tree.owner, task_id=task_named(tree, name).pk, **fields)


@pytest.fixture
def source():
    tree = make_source()
    run_tree(tree)
    return tree


def test_a_link_shows_the_results_of_the_original_and_has_none(source):
    before = state_of(source)
    runs, attempts, _, _ = count_rows()
    shown = preview_link(user=source.owner, task_id=root_of(source).pk)
    linked = link_to(source)
    assert outline(linked) == outline(source)
    assert same_as_preview(shown, linked)
    assert shown.counts["link"] == 6
    assert (linked.origin_type, linked.original, linked.run_count) == ("link", source, 0)
    assert count_rows()[:2] == (runs, attempts)
    for new in Task.objects.filter(tree=linked):
        old = task_named(source, new.name)
        assert (new.status, new.progress, new.attempt, new.run_id) == ("completed", 1.0, 0, None)
        assert (new.original, new.origin_type) == (old, "link")
        assert (new.linked_attempt.task, new.linked_attempt.number) == (old, old.attempt)
        assert (new.started_at, new.completed_at) == (old.started_at, old.completed_at)
        assert result_of(new) == result_of(old)
    assert state_of(source) == before
    assert Task.objects.filter(tree=source, has_references=True).count() == 6


@pytest.mark.parametrize(
    ("name", "recursive", "expected"),
    [("g", True, "g(c4)"), ("g", False, "g"), ("c3", False, "c3"), ("c2", True, "c2")],
)
def test_a_part_is_linked_without_what_it_waited_for(source, name, recursive, expected):
    assert outline(link_to(source, name, recursive=recursive)) == expected


def test_only_what_is_fully_completed_can_be_linked():
    tree = make_source()
    run_tree(tree, fail=["c3"])
    rows = count_rows()
    for act in (tree_link, preview_link):
        with pytest.raises(Conflict, match=r"only a fully completed .*; unfinished: 'c3', 'c4'$") as caught:
            act(user=tree.owner, task_id=root_of(tree).pk)
        assert caught.value.code == "unfinished"
    with pytest.raises(Conflict, match=r"'c4'$"):
        link_to(tree, "g")
    assert count_rows() == rows
    assert outline(link_to(tree, "c1")) == "c1"
    assert outline(link_to(tree, "r", recursive=False)) == "r"


def test_a_long_list_of_unfinished_tasks_is_cut():
    tree = make_source()
    with pytest.raises(Conflict, match="unfinished: 'r', 'c1', 'c2', 'c3'"):
        link_to(tree)


def test_another_users_task_cannot_be_linked(source):
    other, task_id = make_user("other"), root_of(source).pk
    with pytest.raises(NotFound):
        tree_link(user=other, task_id=task_id)
    share(source, other)
    admin = make_user("root", is_staff=True, is_superuser=True)
    for user in (other, admin):
        with pytest.raises(Forbidden, match="belongs to another user"):
            tree_link(user=user, task_id=task_id)
    copy = tree_copy(user=other, task_id=task_id)
    run_tree(copy)
    assert tree_link(user=other, task_id=root_of(copy).pk).owner == other


def test_links_to_links_resolve_to_the_original(source):
    again = link_to(link_to(source))
    assert again.original == source
    for new in Task.objects.filter(tree=again):
        old = task_named(source, new.name)
        assert (new.original, new.linked_attempt.task) == (old, old)
    third = link_to(again, "c2")
    assert (third.original, root_of(third).original) == (source, task_named(source, "c2"))


def test_a_copy_of_links_runs_anew(source):
    linked = link_to(source)
    shown = preview_copy(user=linked.owner, task_id=root_of(linked).pk)
    assert shown.warnings[0] == "'r' is a link: its copy runs anew"
    copy = tree_copy(user=linked.owner, task_id=root_of(linked).pk)
    assert set(statuses(copy).values()) == {"pending"}
    assert task_named(copy, "c1").original == task_named(linked, "c1")
    assert task_named(copy, "c1").inputs == {"x": 1}
    run_tree(copy)
    assert set(statuses(copy).values()) == {"completed"}


def test_a_link_never_runs_and_cannot_be_edited(source):
    linked = link_to(source)
    c1 = task_named(linked, "c1")
    for mode in ("all", "failed"):
        with pytest.raises(Conflict, match="nothing would run"):
            run_start(user=linked.owner, tree_id=linked.pk, mode=mode)
    assert not Run.objects.filter(tree=linked).exists()
    with pytest.raises(Conflict, match="is a link"):
        task_update(user=linked.owner, task_id=c1.pk, version=1, changes={"priority": 1})


def test_a_tree_that_is_linked_from_elsewhere_stays(source):
    linked = link_to(source)
    with pytest.raises(Conflict, match="links to tasks of"):
        tree_delete(user=source.owner, tree_id=source.pk)
    tree_delete(user=source.owner, tree_id=linked.pk)
    tree_delete(user=source.owner, tree_id=source.pk)
    assert not Tree.objects.exists()


def test_a_link_stays_on_its_attempt_until_it_is_moved(source):
    linked = link_to(source)
    c2 = task_named(linked, "c2")
    assert (newer_result(c2), links_with_newer_results(linked.pk)) == (None, set())
    with pytest.raises(Conflict, match="newest result"):
        link_move(user=source.owner, task_id=c2.pk)
    run_tree(source)
    run_tree(source, fail=["c3"])
    c2.refresh_from_db()
    assert (c2.status, result_of(c2)["attempt"]) == ("completed", 1)
    assert newer_result(c2).number == 3
    assert newer_result(task_named(linked, "c3")).number == 2
    assert newer_result(task_named(source, "c2")) is None
    assert len(links_with_newer_results(linked.pk)) == 6
    moved = link_move(user=source.owner, task_id=c2.pk)
    assert (result_of(moved)["attempt"], moved.version) == (3, 2)
    assert moved.completed_at == task_named(source, "c2").completed_at
    assert newer_result(moved) is None
    assert len(links_with_newer_results(linked.pk)) == 5


def test_when_a_link_cannot_be_moved(source):
    linked = link_to(source)
    run_tree(source)
    c2 = task_named(linked, "c2")
    with pytest.raises(NotFound):
        link_move(user=make_user("other"), task_id=c2.pk)
    with pytest.raises(Conflict, match="is not a link"):
        link_move(user=source.owner, task_id=task_named(source, "c2").pk)
    archive = tree_archive(user=source.owner, task_id=root_of(linked).pk)
    with pytest.raises(Conflict, match="archived"):
        link_move(user=source.owner, task_id=task_named(archive, "c2").pk)
    Run.objects.create(tree=linked, number=1, started_at=linked.created_at)
    with pytest.raises(AlreadyRunning):
        link_move(user=source.owner, task_id=c2.pk)


def test_linking_takes_a_constant_number_of_queries():
    counts = []
    for size in (30, 90):  # both more than one statement holds
        tree = make_chain(size)
        run_tree(tree)
        with CaptureQueriesContext(connection) as captured:
            link_to(tree, "0")
        counts.append(len(captured))
    assert counts[0] == counts[1]
