from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.domain.graph import closure, cycle_text, find_cycle, layers, pre_order, reverse, topological_order

N = 10_000


@st.composite
def graphs(draw, *, acyclic):
    size = draw(st.integers(1, 12))
    label = draw(st.permutations(range(size)))
    pairs = draw(st.sets(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=30))
    edges = {}
    for a, b in pairs:
        if not acyclic or a > b:
            edges.setdefault(label[a], []).append(label[b])
    return list(range(size)), edges


@given(graphs(acyclic=True))
def test_topological_order_puts_every_task_after_those_it_waits_for(graph):
    ids, edges = graph
    order = topological_order(ids, edges)
    assert sorted(order) == ids
    place = {task: i for i, task in enumerate(order)}
    assert all(place[d] < place[t] for t, ds in edges.items() for d in ds)
    assert find_cycle(ids, edges) is None


@given(graphs(acyclic=True))
def test_a_layer_is_one_after_its_latest_dependency(graph):
    ids, edges = graph
    wave_of = {task: n for n, wave in enumerate(layers(ids, edges)) for task in wave}
    assert all(wave_of[t] == max((wave_of[d] + 1 for d in edges.get(t, ())), default=0) for t in ids)


@given(graphs(acyclic=False))
def test_a_found_cycle_is_a_cycle_and_none_means_that_everything_can_be_ordered(graph):
    ids, edges = graph
    cycle = find_cycle(ids, edges)
    if cycle is None:
        assert sorted(topological_order(ids, edges)) == ids
        return
    assert max(Counter(cycle).values()) == 1
    assert all(after in edges[task] for task, after in zip(cycle, [*cycle[1:], cycle[0]], strict=True))


@given(graphs(acyclic=False))
def test_closure_holds_exactly_what_can_be_reached(graph):
    ids, edges = graph
    reached = closure([ids[0]], edges)
    assert ids[0] in reached
    assert all(d in reached for t in reached for d in edges.get(t, ()))
    for other in set(ids) - reached:
        assert not any(other in edges.get(t, ()) for t in reached)
    assert all((ids[0] in closure([t], reverse(edges))) == (t in reached) for t in ids)


@given(st.lists(st.integers(0, 30), max_size=30))
def test_pre_order_puts_parents_first_with_their_depth(picks):
    parents = {0: None} | {i + 1: pick % (i + 1) for i, pick in enumerate(picks)}
    walk = pre_order(parents)
    assert sorted(task for task, _ in walk) == sorted(parents)
    depths = dict(walk)
    seen = set()
    for task, depth in walk:
        parent = parents[task]
        assert depth == (0 if parent is None else depths[parent] + 1)
        assert parent is None or parent in seen
        seen.add(task)


def test_siblings_keep_the_given_order_and_each_subtree_is_contiguous():
    parents = {"r": None, "b": "r", "a": "r", "b1": "b", "a1": "a", "b2": "b"}
    assert [t for t, _ in pre_order(parents)] == ["r", "b", "b1", "b2", "a", "a1"]


def test_tasks_on_a_cycle_of_parents_are_not_under_the_root():
    assert pre_order({"r": None, "a": "b", "b": "a"}) == [("r", 0)]


def test_a_task_that_waits_for_itself_is_a_cycle_of_one():
    assert find_cycle(["a", "b"], {"b": ["b"]}) == ["b"]


@pytest.mark.parametrize(
    "edges",
    [
        pytest.param({i: [i - 1] for i in range(1, N)}, id="chain"),
        pytest.param({i: [0] for i in range(1, N)}, id="fan-out"),
        pytest.param({0: list(range(1, N))}, id="fan-in"),
    ],
)
def test_ten_thousand_tasks_are_ordered(edges):
    assert len(topological_order(range(N), edges)) == N
    assert find_cycle(range(N), edges) is None
    assert len(closure([0], edges)) + len(closure([0], reverse(edges))) == N + 1


def test_a_cycle_of_ten_thousand_is_found_and_told_shortly():
    cycle = find_cycle(range(N), {i: [(i + 1) % N] for i in range(N)})
    assert len(cycle) == N
    text = cycle_text([f"t{i}" for i in cycle])
    assert text.startswith("t0 waits for t1 waits for")
    assert text.endswith("t9 waits for ... waits for t0 (10000 tasks)")


def test_a_short_cycle_is_told_in_full():
    assert cycle_text(["a", "b"]) == "a waits for b waits for a"


def test_parents_may_nest_ten_thousand_deep_here():
    assert pre_order({i: i - 1 if i else None for i in range(N)})[-1] == (N - 1, N - 1)
