"""The graph pages: what is drawn, folded, said, and kept from strangers."""

from __future__ import annotations

import html
import json
import re
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser

from dashboard.contexts.graph_plan import GraphQuery, news_of, plan_of
from dashboard.graph_live import GraphConsumer
from orchestration.domain.states import Status
from orchestration.models import TreeShare
from orchestration.selectors.graph import graph_edges, graph_tasks
from tests.dashboard.conftest import signed_in
from tests.dashboard.rows import end_run, end_task, start
from tests.dashboard.test_queries import queries
from tests.factories import make_tree, make_user, task, task_named

HOSTILE = "<script>alert(1)</script>\" ' & </text></svg>"


def page(client, url, status=200):
    response = client.get(url)
    assert response.status_code == status
    return response.content.decode()


def box(text, found):
    """The box of a task: its attributes and its inside."""
    return re.search(rf'<a id="g-{found.pk.hex}"(.*?)</a>', text, re.DOTALL)[1]


def edge(text, source, target):
    return re.search(rf'<path class="edge (\w+)" data-a="{source.pk.hex}" data-b="{target.pk.hex}"(.*?)</path>', text)


@pytest.fixture
def mixed(db):
    """load fails: send (required) is blocked, note (optional) is not."""
    tree = make_tree(
        task("Report", executor=""), task("load"), task("send", after=["load"]), task("note", optional=["load"]),
        owner=make_user("ann"),
    )  # fmt: skip
    run = start(tree)
    end_task(run, task_named(tree, "load"), Status.FAILED, error="no such file")
    send = task_named(tree, "send")
    send.blocked_by = task_named(tree, "load")
    send.save()
    return SimpleNamespace(tree=tree, run=run, client=signed_in(make_user("ann")), of=lambda n: task_named(tree, n))


def test_boxes_say_their_state_and_edges_their_verdict(mixed):
    text = page(mixed.client, f"/runs/{mixed.run.pk}/graph")
    load, send, note = (mixed.of(name) for name in ("load", "send", "note"))
    assert 'data-state="failed"' in box(text, load)
    assert "<title>load: failed 0.0 s</title>" in box(text, load)
    assert f'href="/tasks/{send.pk}?run={mixed.run.pk}"' in box(text, send)
    assert 'data-state="blocked"' in box(text, send)
    required, optional = edge(text, load, send), edge(text, load, note)
    assert required[1] == "req"
    assert "required, not met" in required[2]
    assert optional[1] == "opt"
    assert "ignored" in optional[2]
    assert "style=" not in text.split("<main")[1]
    assert "send</a>" in text.split("The same as a list")[1]
    assert "waits for load (optional)" in text


def test_an_ended_run_stays_as_it_was_when_a_newer_one_goes_on(mixed):
    old = end_run(mixed.run, Status.FAILED)
    start(mixed.tree)
    assert 'data-state="failed"' in box(page(mixed.client, f"/runs/{old.pk}/graph"), mixed.of("load"))


def test_hostile_names_are_text(db):
    tree = make_tree(task(HOSTILE, executor=""), task(HOSTILE + "1"), task("b", after=[HOSTILE + "1"]))
    client, run = signed_in(tree.owner), start(tree)
    first = task_named(tree, HOSTILE + "1")
    urls = [f"/runs/{run.pk}/graph", f"/trees/{tree.pk}/graph", f"/runs/{run.pk}/graph?around={first.pk}"]
    for text in (page(client, url) for url in urls):
        assert "<script>alert" not in text
        assert text.count("</svg>") == len(re.findall(r"<svg[ >]", text))
        assert html.escape(HOSTILE) in text


@pytest.mark.parametrize("url", ["/runs/{0.run.pk}/graph", "/trees/{0.tree.pk}/graph"])
def test_strangers_are_told_nothing(mixed, url):
    TreeShare.objects.create(tree=mixed.tree, user=make_user("bob"), right=TreeShare.VIEW)
    page(signed_in(make_user("bob")), url.format(mixed))
    page(signed_in(make_user("eve")), url.format(mixed), 404)
    other = make_tree(task("mine", executor=""), task("a"))
    page(mixed.client, f"{url.format(mixed)}?around={task_named(other, 'a').pk}", 404)


def test_a_neighbourhood_ends_after_its_steps(db):
    chain = [task("t0"), *(task(f"t{i}", after=[f"t{i - 1}"]) for i in range(1, 9))]
    tree = make_tree(task("Chain", executor=""), *chain)
    client, run = signed_in(tree.owner), start(tree)
    text = page(client, f"/runs/{run.pk}/graph?around={task_named(tree, 't4').pk}&hops=2")
    assert sorted(re.findall(r'data-name="(\w+)"', text)) == ["t2", "t3", "t4", "t5", "t6"]
    assert client.get(f"/runs/{run.pk}/graph?q=t4").url.endswith(f"?around={task_named(tree, 't4').pk}")
    page(client, f"/runs/{run.pk}/graph?q=nothing", 404)
    for odd in ("around=x", "hops=-3", "fold=%00", "inside=1", "state=;", "hops=99999999999"):
        page(client, f"/runs/{run.pk}/graph?{odd}")


def branches(count, size):
    yield task("Root", executor="")
    for g in range(count):
        yield task(f"G{g}", executor="")
        for i in range(size):
            yield task(f"G{g}-{i}", parent=f"G{g}", after=[f"G{g}-{i - 1}"] if i else ())


def test_folded_branches_are_counted_and_open_one_by_one(db):
    tree = make_tree(*branches(20, 5))
    client, run = signed_in(tree.owner), start(tree)
    end_task(run, task_named(tree, "G3-0"))
    text = page(client, f"/runs/{run.pk}/graph?fold=all")
    assert len(re.findall(r'<a id="g-', text)) == 20
    assert "1 completed" in box(text, task_named(tree, "G3"))
    inside = page(client, f"/runs/{run.pk}/graph?inside={task_named(tree, 'G3').pk}")
    assert re.findall(r'data-name="(\S+)"', inside) == [f"G3-{i}" for i in range(5)]


def test_queries_do_not_grow(db):
    client, counts = signed_in(make_user("ann")), []
    for count in (2, 15):
        run = start(make_tree(*branches(count, 4), owner=make_user("ann")))
        counts.append([queries(client, u) for u in (f"/runs/{run.pk}/graph", f"/trees/{run.tree_id}/graph")])
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 20


def test_siblings_that_mean_the_same_stand_in_one_block(db):
    tree = make_tree(task("R", executor=""), task("a"), *(task(f"b{i}", after=["a"]) for i in range(40)))
    text = page(signed_in(tree.owner), f"/trees/{tree.pk}/graph")
    assert text.count('data-block="k') == 40
    assert len(re.findall(r'data-a="', text)) == 1
    assert "a → 40 tasks (40 dependencies)" in text


def test_a_poll_brings_looks_and_another_drawing_only_when_it_is_another(mixed):
    text = page(mixed.client, f"/runs/{mixed.run.pk}/graph")
    signature = re.search(r'data-sig="(\w+)"', text)[1]
    for known, whole in ((signature, False), ("old", True)):
        answer = mixed.client.get(f"/runs/{mixed.run.pk}/graph?sig={known}", headers={"HX-Request": "true"})
        assert ('<svg class="graph"' in answer.content.decode()) is whole
        assert ("#graph-news" in answer.content.decode()) is not whole


def test_what_a_viewer_knows_is_no_news():
    seen = {"a": ("running", "running", "1.0 s", 5.0, 10, "open"), "b": ("waiting", "waiting", "", 0, 0, "open")}
    later = {**seen, "a": ("running", "running", "2.0 s", 5.0, 10, "open")}
    assert news_of(later, seen) == {}
    further = {**seen, "a": ("running", "running", "2.0 s", 5.0, 20, "open")}
    assert news_of(further, seen) == {"a": further["a"]}


def socket(run, user, query=""):
    communicator = WebsocketCommunicator(GraphConsumer.as_asgi(), f"/ws/runs/{run.pk}/graph/")
    communicator.scope |= {
        "user": user, "url_route": {"kwargs": {"run_id": run.pk}}, "query_string": query.encode(), "session": None,
    }  # fmt: skip
    return communicator


def news(frame):
    return json.loads(html.unescape(re.search(r'<data value="(.*?)">', frame)[1]))


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_the_socket_sends_a_drawing_then_only_what_changed():
    tree = await sync_to_async(make_tree)(task("R", executor=""), task("a"), task("b", after=["a"]), task("c"))
    run = await sync_to_async(start)(tree)
    a = await sync_to_async(task_named)(tree, "a")
    user = await sync_to_async(lambda: tree.owner)()
    viewer = socket(run, user)
    assert (await viewer.connect())[0]
    assert "graph-canvas" in await viewer.receive_from(timeout=30)
    await sync_to_async(end_task)(run, a)
    frame = await viewer.receive_from(timeout=30)
    while "graph-news" not in frame:
        frame = await viewer.receive_from(timeout=30)
    assert list(news(frame)) == [a.pk.hex]
    assert news(frame)[a.pk.hex][0] == "completed"
    assert news(frame)[a.pk.hex][5] == "met"
    await viewer.disconnect()


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_the_socket_refuses_strangers():
    run = await sync_to_async(lambda: start(make_tree(owner=make_user("ann"))))()
    for user, code in ((AnonymousUser(), 4403), (await sync_to_async(make_user)("eve"), 4404)):
        viewer = socket(run, user)
        await viewer.connect()
        assert (await viewer.receive_output(timeout=30))["code"] == code


def test_a_plan_of_part_of_a_tree_has_no_arrows_to_the_rest(mixed):
    tasks, edges = graph_tasks(mixed.tree.pk, mixed.run), graph_edges(mixed.tree)
    plan = plan_of(tasks, edges, GraphQuery(inside=mixed.of("send").pk))
    assert list(plan.members) == [mixed.of("send").pk.hex]
    assert plan.arrows == []


def test_many_arrows_are_drawn_together(db):
    layers = [task(f"t{i}", after=[f"t{j}" for j in range(i - 30, i - 27)] if i >= 30 else ()) for i in range(230)]
    tree = make_tree(task("Dense", executor=""), *layers)
    client, run = signed_in(tree.owner), start(tree)
    end_task(run, task_named(tree, "t0"))
    text = page(client, f"/runs/{run.pk}/graph")
    batches = re.findall(r'<path class="edge req" data-ends="([^"]+)" data-out="(\w+)" d="([^"]+)"/>', text)
    assert 'data-a="' not in text
    assert [out for _, out, _ in batches] == ["met", "open"]
    names = re.findall(r'data-name="(t\d+)"', text)
    pairs = [pair.split("-") for ends, _, _ in batches for pair in ends.split()]
    assert {(names[int(a)], names[int(b)]) for a, b in pairs} == {
        (f"t{j}", f"t{i}") for i in range(30, 230) for j in range(i - 30, i - 27)
    }
    assert all(path.count("M") == len(ends.split()) for ends, _, path in batches)
