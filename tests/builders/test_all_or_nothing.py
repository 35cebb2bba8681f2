"""Wherever a builder's statements break, nothing of what it makes is stored, and the originals are as they were."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection

from orchestration.builders.archive import tree_archive
from orchestration.builders.array import tree_from_array
from orchestration.builders.copy import tree_copy
from orchestration.builders.export import array_from_tree
from orchestration.builders.link import tree_link
from orchestration.models import AuditEntry, Task, Tree
from tests.builders.support import count_rows, make_source, root_of, run_tree

pytestmark = pytest.mark.django_db
WRITES = ("INSERT", "UPDATE", "DELETE")


@pytest.fixture
def source():
    tree = make_source()
    run_tree(tree)
    return tree


def created(tree):
    tree_from_array(owner=tree.owner, data=array_from_tree(tree))


def copied(tree):
    tree_copy(user=tree.owner, task_id=root_of(tree).pk)


def linked(tree):
    tree_link(user=tree.owner, task_id=root_of(tree).pk)


def archived(tree):
    tree_archive(user=tree.owner, task_id=root_of(tree).pk)


class FullAt:
    """The disk is full at the write of that number (0: never), until the transaction is undone."""

    def __init__(self, number):
        self.number, self.writes = number, 0

    def __call__(self, run, sql, params, many, context):
        self.writes += sql.lstrip().startswith(WRITES)
        if self.writes == self.number and sql.lstrip().startswith(WRITES):
            raise OperationalError("database or disk is full")
        return run(sql, params, many, context)


def everything():
    return (*count_rows(), AuditEntry.objects.count(), list(Tree.objects.values()), list(Task.objects.values()))


@pytest.mark.parametrize("make", [created, copied, linked, archived])
def test_nothing_is_stored_by_half(source, make):
    before, number = everything(), 0
    while True:
        number += 1
        with connection.execute_wrapper(FullAt(number)):
            try:
                make(source)
            except OperationalError:
                assert everything() == before, f"write {number}"
            else:
                break
    assert number > 3, "it stores at least a tree, its tasks and their dependencies"
    assert Tree.objects.count() == 2
