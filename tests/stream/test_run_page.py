"""The socket of the run page: a snapshot first, then every change, for those who may see it."""

from __future__ import annotations

import asyncio
import json
import re
import time

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import Client

from apflow_site.asgi import application
from dashboard import consumers
from orchestration import feeds, streams
from orchestration.builders.draft import draft_from_tree, own_ids, spec_of_draft
from orchestration.domain.errors import AlreadyRunning
from orchestration.domain.outline_edit import remove
from orchestration.domain.states import Kind, Status
from orchestration.models import TreeShare
from orchestration.services.structure import tree_redefine
from orchestration.services.transitions_verbs import note
from orchestration.services.trees import tree_delete
from tests.dashboard.rows import end_run, end_task, start
from tests.factories import make_tree, make_user, task, task_named
from tests.stream.support import rights_are_asked_for

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_S = 60.0
database = sync_to_async


def prepare(tasks=3):
    chain = [task("t0"), *(task(f"t{i}", after=[f"t{i - 1}"]) for i in range(1, tasks))]
    tree = make_tree(task("Report", executor=""), *chain, owner=make_user("ann"))
    return tree, start(tree)


def socket(run, name, query="", origin=b"http://testserver", kind="page"):
    client = Client()
    if name:
        client.force_login(make_user(name))
    cookie = "; ".join(f"{key}={morsel.value}" for key, morsel in client.cookies.items())
    headers = [(b"host", b"testserver"), (b"origin", origin), (b"cookie", cookie.encode())]
    return WebsocketCommunicator(application, f"/ws/runs/{run.pk}/{kind}/{query}", headers=headers)


async def fragments(page, until):
    """The fragments that arrive until one has the text *until*; heartbeats left out."""
    got, deadline = [], time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        message = await page.receive_from(timeout=WAIT_S)
        if message.startswith("{"):
            continue
        got.append(message)
        if until in message:
            return got
    raise AssertionError(f"{until!r} has not arrived")


def newest(fragment):
    return int(re.search(r'data-seq="(\d+)"', fragment)[1])


async def test_a_snapshot_comes_first():
    _, run = await database(prepare)()
    page = await database(socket)(run, "ann")
    assert (await page.connect())[0]
    first = await page.receive_from(timeout=WAIT_S)
    for part in ("#run-head", "#run-actions", "#rows", "#pager", ">t0<", ">t2<"):
        assert part in first
    await page.disconnect()


async def test_every_change_reaches_the_page():
    tree, run = await database(prepare)(tasks=12)
    page = await database(socket)(run, "ann")
    await page.connect()
    seen = newest(await page.receive_from(timeout=WAIT_S))
    done = []
    for i in range(12):
        one = await database(task_named)(tree, f"t{i}")
        await database(end_task)(run, one)
        done.append(one.pk.hex)
    await database(end_run)(run, Status.COMPLETED)
    got = await fragments(page, 'data-active="0"')
    numbers = [newest(fragment) for fragment in got]
    assert numbers == sorted(numbers)
    assert numbers[-1] > seen
    rows = "".join(got)
    for hexed in done:
        assert re.search(rf'id="t-{hexed}"[^>]*data-state="completed"', rows)
    await page.disconnect()


async def test_a_changed_row_alone_is_sent_with_the_header():
    tree, run = await database(prepare)(tasks=4)
    page = await database(socket)(run, "ann")
    await page.connect()
    await page.receive_from(timeout=WAIT_S)
    first = await database(task_named)(tree, "t0")
    await database(end_task)(run, first)
    frame = (await fragments(page, f"t-{first.pk.hex}"))[-1]
    assert "#run-head" in frame
    assert ">t3<" not in frame
    await page.disconnect()


async def test_a_page_that_comes_back_gets_what_it_missed():
    tree, run = await database(prepare)()
    page = await database(socket)(run, "ann")
    await page.connect()
    await page.receive_from(timeout=WAIT_S)
    await page.disconnect()
    await database(end_task)(run, await database(task_named)(tree, "t0"))
    again = await database(socket)(run, "ann")
    await again.connect()
    assert 'data-state="completed"' in await again.receive_from(timeout=WAIT_S)
    await again.disconnect()


async def test_a_window_gets_only_its_rows():
    _, run = await database(prepare)()
    page = await database(socket)(run, "ann", "?q=t1")
    await page.connect()
    first = await page.receive_from(timeout=WAIT_S)
    assert ">t1<" in first
    assert ">t0<" not in first
    await page.disconnect()


async def test_two_viewers_share_one_reader():
    tree, run = await database(prepare)()
    await database(lambda: TreeShare.objects.create(tree=tree, user=make_user("bob")))()
    pages = [await database(socket)(run, name) for name in ("ann", "bob")]
    for page in pages:
        await page.connect()
        await page.receive_from(timeout=WAIT_S)
    assert len(feeds._feeds[run.pk].subscriptions) == 2
    one = await database(task_named)(tree, "t0")
    await database(end_task)(run, one)
    for page in pages:
        await fragments(page, f"t-{one.pk.hex}")
    for page in pages:
        await page.disconnect()
    assert run.pk not in feeds._feeds


@pytest.mark.parametrize(("name", "code"), [("", 4403), ("eve", 4404)])
async def test_others_are_let_in_and_shown_out(name, code):
    _, run = await database(prepare)()
    page = await database(socket)(run, name)
    assert (await page.connect())[0]
    assert await page.receive_output(timeout=WAIT_S) == {"type": "websocket.close", "code": code}


async def test_another_site_may_not_connect():
    _, run = await database(prepare)()
    page = await database(socket)(run, "ann", origin=b"https://evil.example")
    assert not (await page.connect())[0]


@pytest.mark.fault
async def test_a_lost_right_ends_the_page(monkeypatch):
    monkeypatch.setattr(streams, "RECHECK_S", 0.1)
    tree, run = await database(prepare)()
    share = await database(lambda: TreeShare.objects.create(tree=tree, user=make_user("bob")))()
    page = await database(socket)(run, "bob")
    await page.connect()
    await page.receive_from(timeout=WAIT_S)
    await database(share.delete)()
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        output = await page.receive_output(timeout=WAIT_S)
        if output["type"] == "websocket.close":
            assert output["code"] == 4404
            return
        assert json.loads(output["text"])["alive"] >= 0
    raise AssertionError("the page stays open")


async def test_news_do_not_wait_for_an_answer_about_rights(monkeypatch):
    """Not even when none ever comes."""
    monkeypatch.setattr(streams, "RECHECK_S", 0.05)
    monkeypatch.setattr(feeds, "GATHER_S", 3600.0)
    _, run = await database(prepare)()
    page = await database(socket)(run, "ann")
    await page.connect()
    await fragments(page, "#run-head")
    await rights_are_asked_for(run.pk)
    await database(end_run)(run, Status.COMPLETED)
    await fragments(page, "#run-head")
    await page.disconnect()


@pytest.mark.fault
@pytest.mark.parametrize("kind", ["page", "graph"])
async def test_a_page_outlives_a_deleted_task_and_ends_with_its_tree(kind):
    """With the pace that people get: the end comes within five seconds."""
    tree, run = await database(prepare)()
    page = await database(socket)(run, "ann", kind=kind)
    await page.connect()
    await fragments(page, "#run-head")
    with pytest.raises(AlreadyRunning):
        await database(tree_delete)(user=tree.owner, tree_id=tree.pk)
    await database(end_run)(run, Status.COMPLETED)
    await fragments(page, 'data-active="0"')
    gone = await database(task_named)(tree, "t1")
    array = remove(await database(draft_from_tree)(tree), str(gone.pk))
    spec = await database(lambda: spec_of_draft(array, own_ids(tree)))()
    await database(tree_redefine)(user=tree.owner, tree_id=tree.pk, version=tree.version, spec=spec)
    await database(note)(run.pk, Kind.LATE_RESULT, {"ending": "completed"})
    await run.arefresh_from_db()
    assert gone.pk.hex not in (await fragments(page, f'data-seq="{run.seq}"'))[-1]
    await database(tree_delete)(user=tree.owner, tree_id=tree.pk)
    async with asyncio.timeout(5.0):
        while (output := await page.receive_output(timeout=WAIT_S))["type"] == "websocket.send":
            assert "alive" in json.loads(output["text"]), "nothing more is told of it"
    assert output == {"type": "websocket.close", "code": 4404}


async def test_a_page_that_cannot_be_rendered_is_told_to_come_back(monkeypatch):
    _, run = await database(prepare)()
    monkeypatch.setattr(consumers, "subscribe", None)
    page = await database(socket)(run, "ann")
    await page.connect()
    assert await page.receive_output(timeout=WAIT_S) == {"type": "websocket.close", "code": consumers.BROKEN}
