"""The layout: what must hold for every graph."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.domain.layout import GAP_Y, layout

BOX = (180.0, 48.0)


@st.composite
def graphs(draw, *, acyclic=True):
    count = draw(st.integers(1, 25))
    number = st.integers(0, count - 1)
    pairs = draw(st.lists(st.tuples(number, number), max_size=60, unique=True))
    pairs = [(min(p), max(p)) if acyclic else p for p in pairs if p[0] != p[1]]
    sizes = {f"t{i}": (BOX[0], draw(st.sampled_from([48.0, 200.0]))) for i in range(count)}
    return sizes, [(f"t{a}", f"t{b}") for a, b in dict.fromkeys(pairs)]


def overlapping(sizes, places):
    boxes = sorted((p.x, p.y, key) for key, p in places.items())
    found = []
    for i, (x, y, key) in enumerate(boxes):
        for other_x, other_y, other in boxes[i + 1 :]:
            if other_x >= x + sizes[key][0]:
                break
            if other_y < y + sizes[key][1] and y < other_y + sizes[other][1]:
                found.append((key, other))
    return found


@given(graphs())
def test_what_is_waited_for_stands_left(graph):
    sizes, edges = graph
    places = layout(sizes, edges).places
    for a, b in edges:
        assert places[a].x + sizes[a][0] < places[b].x


@given(graphs(acyclic=False))
def test_boxes_never_overlap_and_cycles_do_no_harm(graph):
    sizes, edges = graph
    found = layout(sizes, edges)
    assert set(found.places) == set(sizes)
    assert not overlapping(sizes, found.places)
    for key, place in found.places.items():
        assert place.x >= 0
        assert place.y >= -0.001
        assert place.x + sizes[key][0] <= found.width
        assert place.y + sizes[key][1] <= found.height + 0.001


@given(graphs())
def test_the_same_graph_looks_the_same(graph):
    assert layout(*graph) == layout(*graph)


@given(graphs())
def test_no_edge_runs_through_a_box_of_a_column_it_passes(graph):
    sizes, edges = graph
    found = layout(sizes, edges)
    for (a, b), legs in zip(edges, found.routes, strict=True):
        for (_, y, right, end_y), (next_x, _, _, _) in pairwise(legs):
            for key, place in found.places.items():
                if key not in (a, b) and right <= place.x < next_x and y is not None:
                    assert not place.y < end_y < place.y + sizes[key][1]


def test_a_chain_is_a_straight_line():
    found = layout({f"t{i}": BOX for i in range(9)}, [(f"t{i}", f"t{i + 1}") for i in range(8)])
    assert {round(p.y, 3) for p in found.places.values()} == {0.0}


def test_a_fan_is_spread_evenly_around_its_middle():
    found = layout(
        dict.fromkeys(("s", "a", "b", "c", "e"), BOX), [*(("s", k) for k in "abc"), *((k, "e") for k in "abc")]
    )
    a, b, c = (found.places[k].y for k in "abc")
    assert b - a == pytest.approx(BOX[1] + GAP_Y)
    assert found.places["s"].y == found.places["e"].y == pytest.approx(b)
    assert c - b == pytest.approx(b - a)


def test_a_source_stands_beside_what_first_needs_it():
    found = layout(dict.fromkeys("abcd", BOX), [("a", "b"), ("b", "c"), ("d", "c")])
    assert found.places["d"].layer == 1


@pytest.mark.parametrize("shape", ["random", "chain", "fan"])
def test_1500_boxes_take_less_than_a_second(shape):
    dice = random.Random(7)
    count = 1500
    edges = {
        "random": sorted({tuple(sorted(dice.sample(range(count), 2))) for _ in range(4500)}),
        "chain": [(i, i + 1) for i in range(count - 1)] + [(0, i) for i in range(2, count)],
        "fan": [(0, i) for i in range(1, count)],
    }[shape]
    started = time.process_time()
    layout({str(i): BOX for i in range(count)}, [(str(a), str(b)) for a, b in edges])
    assert time.process_time() - started < 1
