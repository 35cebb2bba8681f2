"""The dependencies of a tree are read once, and anew after every edit."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestration.models import Dependency, Tree
from orchestration.selectors.graph import graph_edges
from orchestration.services.dependencies import dependency_add, dependency_change, dependency_remove
from tests.factories import make_tree, make_user, task, task_named

pytestmark = pytest.mark.django_db


def test_they_are_kept_until_somebody_edits_them(django_assert_num_queries):
    ann = make_user("ann")
    tree = make_tree(task("root"), task("a"), task("b", after=["a"]), task("c"), owner=ann)
    a, b, c = (task_named(tree, name).pk for name in "abc")

    def edges():
        return set(graph_edges(Tree.objects.get(pk=tree.pk)))

    assert edges() == {(a.hex, b.hex, True)}
    with django_assert_num_queries(1):  # the tree itself
        edges()
    dependency_add(user=ann, task_id=c, depends_on=b, fields={"required": False})
    assert edges() == {(a.hex, b.hex, True), (b.hex, c.hex, False)}
    dependency_change(user=ann, task_id=c, depends_on=b, fields={"required": True})
    assert edges() == {(a.hex, b.hex, True), (b.hex, c.hex, True)}
    dependency_remove(user=ann, task_id=b, depends_on=a)
    assert edges() == {(b.hex, c.hex, True)}


def test_a_tree_in_the_place_of_one_that_is_gone_has_its_own():
    tree = make_tree(task("root"), task("a"), task("b", after=["a"]))
    assert len(graph_edges(tree)) == 1
    Dependency.objects.filter(task__tree=tree).delete()
    assert graph_edges(Tree(pk=tree.pk, version=tree.version, created_at=tree.created_at + timedelta(seconds=1))) == ()
