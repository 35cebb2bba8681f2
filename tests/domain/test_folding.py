"""Folding: every task keeps a box, and there are no more boxes than asked for where that can be."""

from __future__ import annotations

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from orchestration.domain.folding import Item, Link, branch, fold, links, neighbourhood, twins
from orchestration.domain.layout import layout


@st.composite
def trees(draw):
    items = [Item("r", None, False, drawn=False)]
    for number in range(draw(st.integers(1, 40))):
        parent = draw(st.sampled_from([item.id for item in items[-8:]]))
        items.append(Item(f"{number:x}", parent, draw(st.booleans()), drawn=draw(st.booleans())))
    ids = [item.id for item in items]
    edges = draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=60))
    order = {key: at for at, key in enumerate(ids)}
    return items, [(a, b) for a, b in edges if order[a] < order[b]]


@given(trees(), st.integers(1, 60))
def test_every_drawn_task_has_one_box(tree, limit):
    items, edges = tree
    box = fold(items, edges, limit)
    assert list(box) == [item.id for item in items if item.drawn]
    if len(box) <= limit:
        assert all(task == key for task, key in box.items())
    assert box == fold(items, edges, limit)


@given(trees())
def test_a_box_of_one_is_the_task_itself(tree):
    box = fold(*tree, 1)
    alone = [task for task, key in box.items() if list(box.values()).count(key) == 1 and "w" not in key]
    parents = {item.parent for item in tree[0]}
    assert all(box[task] == task or box[task] in parents for task in alone)


def test_finished_branches_fold_first():
    items = [Item("r", None, False, drawn=False)]
    for group, finished in (("a", True), ("b", False)):
        items.append(Item(group, "r", False, drawn=False))
        items += [Item(f"{group}{i}", group, finished) for i in range(4)]
    box = fold(items, [], 5)
    assert {box[f"a{i}"] for i in range(4)} == {"a"} or {box[f"b{i}"] for i in range(4)} == {"b"}
    assert len(set(box.values())) <= 5


def test_siblings_without_branches_fold_by_wave():
    items = [Item("r", None, False, drawn=False), *(Item(f"t{i}", "r", False) for i in range(40))]
    edges = [(f"t{i}", f"t{i + 10}") for i in range(30)]
    box = fold(items, edges, 5)
    assert len(set(box.values())) == 4
    assert box["t0"] == box["t9"] != box["t10"]


def test_a_long_chain_folds_into_done_and_not_done():
    items = [Item("r", None, False, drawn=False), *(Item(f"t{i}", "r", i < 700) for i in range(2000))]
    box = fold(items, [(f"t{i}", f"t{i + 1}") for i in range(1999)], 1500)
    assert len(set(box.values())) == 2


def test_dependencies_between_the_same_boxes_are_one_arrow():
    box = {"a": "A", "b": "A", "c": "c"}
    assert links(box, [("a", "c", True), ("b", "c", True), ("a", "b", True), ("a", "c", False), ("x", "c", True)]) == [
        Link("A", "c", True, 2), Link("A", "c", False, 1),
    ]  # fmt: skip


def test_twins_have_the_same_arrows():
    keys = ["s", *(f"t{i}" for i in range(5)), "e"]
    arrows = [Link("s", f"t{i}", required=True) for i in range(5)] + [Link("t0", "e", required=True)]
    assert twins(keys, arrows, least=3) == {"t1": ["t1", "t2", "t3", "t4"]}
    assert twins(keys, arrows, least=5) == {}


def test_a_neighbourhood_goes_both_ways_and_has_an_end():
    chain = {f"t{i + 1}": [f"t{i}"] for i in range(9)}
    assert neighbourhood("t5", chain, 2, 100) == {"t3", "t4", "t5", "t6", "t7"}
    assert len(neighbourhood("t5", chain, 9, 4)) == 4


def test_a_branch_is_everything_under_a_task():
    parents = [("r", None), ("a", "r"), ("a1", "a"), ("b", "r"), ("a11", "a1")]
    assert branch("a", parents) == {"a", "a1", "a11"}


def test_10000_tasks_and_30000_edges_fold_and_lie_in_less_than_a_second():
    dice = random.Random(5)
    items = [Item("r", None, False, drawn=False)]
    for group in range(100):
        items.append(Item(f"g{group}", "r", False, drawn=False))
        items += [Item(f"g{group}t{i}", f"g{group}", False) for i in range(100)]
    tasks = [item.id for item in items if item.drawn]
    pairs = {tuple(sorted(dice.sample(range(len(tasks)), 2))) for _ in range(30_000)}
    edges = [(tasks[a], tasks[b]) for a, b in sorted(pairs)]
    started = time.process_time()
    box = fold(items, edges, 1500)
    arrows = links(box, [(*edge, True) for edge in edges])
    layout(dict.fromkeys(box.values(), (200.0, 48.0)), [(arrow.source, arrow.target) for arrow in arrows])
    assert time.process_time() - started < 1
