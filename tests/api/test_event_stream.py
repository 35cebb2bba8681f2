"""The events of a run as a stream, for programs with a token."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from orchestration.services.runs import run_cancel, run_start
from orchestration.services.tokens import token_create
from tests.factories import make_tree, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]


def ended_run(scope="read"):
    tree = make_tree(owner=make_user("ann"))
    run = run_start(user=tree.owner, tree_id=tree.pk)
    run_cancel(user=tree.owner, run_id=run.pk)
    return run.pk, token_create(user=tree.owner, name="t", scope=scope)[1]


async def stream(run_id, secret, **headers):
    address = f"/api/v1/runs/{run_id}/events/"
    given = {"Accept": "text/event-stream", "Authorization": f"Bearer {secret}", **headers}
    return await AsyncClient().get(address, headers=given)


async def text_of(answer):
    return b"".join([part async for part in answer.streaming_content]).decode()


async def test_a_token_opens_the_stream_and_resumes_it():
    run_id, secret = await sync_to_async(ended_run)()
    whole = await text_of(await stream(run_id, secret))
    assert "id: 1\nevent: run_started" in whole
    rest = await text_of(await stream(run_id, secret, **{"Last-Event-ID": "1"}))
    assert "id: 1\n" not in rest
    assert "id: 2\n" in rest


async def test_a_stranger_gets_no_stream():
    run_id, _ = await sync_to_async(ended_run)()
    refused = await stream(run_id, "apf_nonsense")
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, 'Bearer realm="apflow"')
    assert refused.json()["error"]["code"] == "invalid_token"
    eve = await sync_to_async(lambda: token_create(user=make_user("eve"), name="t")[1])()
    assert (await stream(run_id, eve)).status_code == 404
