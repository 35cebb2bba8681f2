"""Whoever loses the right to watch a run stops seeing it within five seconds: streams and sockets alike."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.test import AsyncClient, Client
from django.utils import timezone

from apflow_site.asgi import application
from orchestration.domain.states import Status
from orchestration.models import ApiToken, AuditEntry, TreeShare
from orchestration.services.shares import share_remove, share_set
from orchestration.services.tokens import token_create, token_revoke
from tests.api.conftest import closed_connections  # noqa: F401  (fixture)
from tests.dashboard.rows import end_run
from tests.factories import make_user
from tests.stream.support import WAIT_S, busy_tree, start

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections"), pytest.mark.ws]
database = sync_to_async
SOON_S = 5.0


def lose_share(tree, user):
    share_remove(user=tree.owner, tree_id=tree.pk, share_id=TreeShare.objects.get(tree=tree, user=user).pk)


def deactivate(_tree, user):
    User.objects.filter(pk=user.pk).update(is_active=False)


def new_password(_tree, user):
    user.set_password("other")
    user.save()


def revoke(_tree, user):
    token_revoke(user=user, token_id=ApiToken.objects.get(user=user).pk)


def expire(_tree, user):
    ApiToken.objects.filter(user=user).update(expires_at=timezone.now() - timedelta(seconds=1))


def log_out(_tree, user):
    CLIENTS[user.username].post("/logout/")


CLIENTS: dict[str, Client] = {}
BY_TOKEN = {
    "revoked": revoke,
    "expired": expire,
    "token of the deactivated": deactivate,
    "token, share lost": lose_share,
}
BY_SESSION = {"share": lose_share, "deactivated": deactivate, "password": new_password, "logout": log_out}


def viewer(tree, name):
    user = make_user(name)
    share_set(user=tree.owner, tree_id=tree.pk, username=name, right="view")
    return user


def headers_of(user, *, token):
    if token:
        return {"Authorization": f"Bearer {token_create(user=user, name='t')[1]}"}
    client = CLIENTS[user.username] = Client()
    client.force_login(user)
    return {"Cookie": "; ".join(f"{key}={morsel.value}" for key, morsel in client.cookies.items())}


async def stream_ends(run, headers, opened):
    address = f"/api/v1/runs/{run.pk}/events/"
    answer = await AsyncClient().get(address, headers={"Accept": "text/event-stream", **headers})
    assert answer.status_code == 200
    pieces = aiter(answer)
    await anext(pieces)
    opened.release()
    rest = [piece async for piece in pieces]
    answer.close()
    return time.monotonic(), b"".join(rest)


async def socket_ends(run, headers, opened, path):
    given = [(b"host", b"testserver"), (b"origin", b"http://testserver"), (b"cookie", headers["Cookie"].encode())]
    page = WebsocketCommunicator(application, path.format(run.pk), headers=given)
    assert (await page.connect(timeout=WAIT_S))[0]
    await page.receive_output(timeout=WAIT_S)
    opened.release()
    while True:
        output = await page.receive_output(timeout=WAIT_S)
        if output["type"] == "websocket.close":
            assert 4400 < output["code"] < 4405
            return time.monotonic(), b""


SOCKETS = ("/ws/runs/{}/", "/ws/runs/{}/page/", "/ws/runs/{}/graph/")


async def lose(opening, losses, tree):
    """Open what *opening* makes, then let all of *losses* happen; seconds until each was closed."""
    opened = asyncio.Semaphore(0)
    watching = [asyncio.create_task(make(opened)) for make in opening]
    async with asyncio.timeout(30):
        for task in watching:
            await opened.acquire()
            assert not task.done() or task.result()
        lost = {}
        for number, (loss, user) in enumerate(losses):
            await database(loss)(tree, user)
            lost[number] = time.monotonic()
        ended = await asyncio.gather(*watching)
    return [at - lost[number] for number, (at, _) in enumerate(ended)], [rest for _, rest in ended]


@pytest.mark.fault
async def test_streams_of_tokens_and_sessions_end():
    tree = await database(busy_tree)(tasks=1)
    run = await database(start)(tree)
    opening, losses = [], []
    for by_token, causes in ((True, BY_TOKEN), (False, BY_SESSION)):
        for number, loss in enumerate(causes.values()):
            user = await database(viewer)(tree, f"viewer-{by_token}-{number}")
            headers = await database(headers_of)(user, token=by_token)
            opening.append(lambda opened, headers=headers: stream_ends(run, headers, opened))
            losses.append((loss, user))
    seconds, rest = await lose(opening, losses, tree)
    assert max(seconds) < SOON_S, dict(zip([*BY_TOKEN, *BY_SESSION], seconds, strict=True))
    await database(end_run)(run, Status.COMPLETED)
    assert not any(b"run_completed" in text for text in rest)


@pytest.mark.fault
@pytest.mark.parametrize("path", SOCKETS)
async def test_sockets_end(path):
    tree = await database(busy_tree)(tasks=1)
    run = await database(start)(tree)
    opening, losses = [], []
    for number, loss in enumerate(BY_SESSION.values()):
        user = await database(viewer)(tree, f"viewer-{number}")
        headers = await database(headers_of)(user, token=False)
        opening.append(lambda opened, headers=headers: socket_ends(run, headers, opened, path))
        losses.append((loss, user))
    seconds, _ = await lose(opening, losses, tree)
    assert max(seconds) < SOON_S, dict(zip(BY_SESSION, seconds, strict=True))


async def test_a_stranger_at_a_stream_or_socket_leaves_an_audit_entry():
    tree = await database(busy_tree)(tasks=1)
    run = await database(start)(tree)
    eve = await database(make_user)("eve")
    headers = await database(headers_of)(eve, token=False)
    await AsyncClient().get(f"/api/v1/runs/{run.pk}/events/", headers={"Accept": "text/event-stream", **headers})
    page = WebsocketCommunicator(
        application,
        f"/ws/runs/{run.pk}/",
        headers=[(b"host", b"testserver"), (b"cookie", headers["Cookie"].encode()), (b"origin", b"http://testserver")],
    )
    await page.connect(timeout=WAIT_S)
    assert (await page.receive_output(timeout=WAIT_S))["code"] == 4404
    refused = AuditEntry.objects.filter(action="refused", actor="eve").order_by("seq").values_list("target", flat=True)
    assert [one async for one in refused] == [f"GET /api/v1/runs/{run.pk}/events/", f"socket /ws/runs/{run.pk}/"]
