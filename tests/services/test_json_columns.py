"""JSON comes back from every database as it went in: the order of keys, and which number is a float."""

from __future__ import annotations

import json

import pytest

from orchestration.models import Task
from tests.factories import make_tree, task, task_named

pytestmark = pytest.mark.django_db

VALUE = {"zebra": 1, "a": {"longer": None, "b": [1.0, 1e22, -0.0, "é\u2028", {}]}, "": True, "B": 10**15}


def stored():
    tree = make_tree(task("a", inputs=VALUE))
    return task_named(tree, "a")


def test_a_row_written_by_the_bulk_insert():
    assert json.dumps(stored().inputs) == json.dumps(VALUE)


def test_a_row_written_by_a_model():
    one = stored()
    one.params = VALUE
    one.save()
    one.refresh_from_db()
    assert json.dumps(one.params) == json.dumps(VALUE)


def test_a_row_written_by_an_update_and_by_bulk_create():
    one = stored()
    Task.objects.filter(pk=one.pk).update(schemas=VALUE)
    one.refresh_from_db()
    assert json.dumps(one.schemas) == json.dumps(VALUE)
    one.schemas = {"again": 1e22}
    Task.objects.bulk_update([one], ["schemas"])
    one.refresh_from_db()
    assert json.dumps(one.schemas) == json.dumps({"again": 1e22})


def test_values_can_be_compared_and_looked_into():
    one = stored()
    found = Task.objects.filter(pk=one.pk)
    assert found.filter(params={}).exists()
    assert not found.exclude(params={}).exists()
    assert found.filter(inputs__zebra=1, inputs__a__b__3__isnull=False).exists()
    assert not found.filter(inputs__zebra=2).exists()
    assert found.values_list("inputs__zebra", flat=True).get() == 1
