"""Names sort and are found in the same way on every database, whatever its collation."""

from __future__ import annotations

import pytest

from orchestration.models import Tree
from orchestration.services.trees import tree_label
from tests.factories import make_tree, make_user, task

pytestmark = pytest.mark.django_db

NAMES = ["b", "B", "a", "-a", "_", "é", "É", "ab", "a b", "Z", "ß", "1"]


def trees_named(names):
    user = make_user()
    for name in names:
        make_tree(task(name), owner=user)
    return Tree.objects.filter(owner=user)


def test_the_order_is_that_of_code_points():
    found = trees_named(NAMES).order_by("name").values_list("name", flat=True)
    assert list(found) == sorted(NAMES)
    assert list(found.filter(name__gt="a")) == [name for name in sorted(NAMES) if name > "a"]


def test_a_search_takes_ascii_letters_of_both_cases():
    trees = trees_named(["Report", "REPORT é", "re_port", "É"])
    assert set(trees.filter(name__icontains="port").values_list("name", flat=True)) == {
        "Report",
        "REPORT é",
        "re_port",
    }
    assert list(trees.filter(name__icontains="e_p").values_list("name", flat=True)) == ["re_port"]
    assert list(trees.filter(name__icontains="é").values_list("name", flat=True)) == ["REPORT é"]


@pytest.mark.parametrize("label", ["plain", "Größe", "日本", "a%b_c", 'with "quotes"'])
def test_a_label_is_found(client, label):
    tree = make_tree(task("a"))
    make_tree(task("b"), owner=tree.owner)
    tree_label(user=tree.owner, tree_id=tree.pk, labels=[label])
    client.force_login(tree.owner)
    found = client.get("/api/v1/trees/", {"label": label}).json()
    assert [one["id"] for one in found["items"]] == [tree.pk], found
