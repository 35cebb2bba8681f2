"""What many viewers of a run ask for is made once for all, and says of each what it would have been told alone."""

from __future__ import annotations

import asyncio
import itertools
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.contexts.runs import rights_on
from orchestration.domain.errors import NotFound
from orchestration.domain.rights import CANCEL_ANY
from orchestration.feeds import Frame, Subscription
from orchestration.models import TreeShare
from orchestration.selectors.access import run_for_read
from orchestration.selectors.sights import Sight, Watcher, sights
from orchestration.sharing import Fresh, Gathered, Once
from tests.dashboard.rows import start
from tests.factories import make_tree, make_user, task


class Maker:
    """Makes 1, 2, 3 ... and takes its time."""

    def __init__(self):
        self.begun = 0
        self.may_end = asyncio.Event()

    async def __call__(self):
        self.begun += 1
        made = self.begun
        await self.may_end.wait()
        return made


async def until(true):
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0)


async def test_once_is_made_once():
    once, make = Once(), Maker()
    make.may_end.set()
    assert await asyncio.gather(*(once.get("a", make) for _ in range(5))) == [1] * 5
    assert [await once.get("b", make), await once.get("a", make)] == [2, 1]


async def test_who_asks_while_it_is_made_gets_the_next():
    fresh, make = Fresh(), Maker()
    early = [asyncio.ensure_future(fresh.get("a", make)) for _ in range(3)]
    await until(lambda: make.begun)
    late = [asyncio.ensure_future(fresh.get("a", make)) for _ in range(3)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert make.begun == 1  # never two at a time
    make.may_end.set()
    assert await asyncio.gather(*early, *late) == [1, 1, 1, 2, 2, 2]


async def test_a_failed_making_is_told_to_all_and_forgotten():
    async def fail():
        raise ValueError("no")

    fresh, make = Fresh(), Maker()
    make.may_end.set()
    found = await asyncio.gather(*(fresh.get("a", fail) for _ in range(2)), return_exceptions=True)
    assert [str(error) for error in found] == ["no", "no"]
    assert await fresh.get("a", make) == 1


async def test_questions_are_answered_together():
    asked = []

    async def answer(keys):
        asked.append(set(keys))
        return {key: key * 10 for key in keys}

    gathered = Gathered(answer, 0.05)
    assert await asyncio.gather(*(gathered.ask(number % 4) for number in range(20))) == [0, 10, 20, 30] * 5
    assert await gathered.ask(7) == 70
    assert asked == [{0, 1, 2, 3}, {7}]


async def test_viewers_that_fell_behind_share_as_well():
    async def nothing(keys):
        return {}

    first, second = Frame(1, 0, 3, frozenset({uuid4()})), Frame(1, 3, 5, frozenset({uuid4()}))
    late = [Subscription(Fresh(), Gathered(nothing, 0), drawn=True) for _ in range(2)]
    for subscription, frame in itertools.product(late, (first, second)):
        subscription.put(frame)
    frames = [await subscription.next(1) for subscription in late]
    assert [(frame.since, frame.seq, len(frame.changed)) for frame in frames] == [(0, 5, 2)] * 2
    make = Maker()
    make.may_end.set()
    assert [await frame.once(f"rows {frame.since}", make) for frame in frames] == [1, 1]
    assert await second.once(f"rows {second.since}", make) == 2  # fewer rows have changed since


CAST = ("owner", "runner", "viewer", "stranger", "idle", "staff", "overseer", "chief", "gone")


def cast(tree):
    people = {name: make_user(name) for name in CAST[1:]}
    people["owner"] = tree.owner
    for name in ("runner", "idle"):
        TreeShare.objects.create(tree=tree, user=people[name], right=TreeShare.RUN)
    for name in ("viewer", "gone"):
        TreeShare.objects.create(tree=tree, user=people[name])
    people["idle"].groups.clear()  # shared for running, but without the role
    User.objects.filter(username__in=("staff", "overseer")).update(is_staff=True)
    people["overseer"].user_permissions.add(Permission.objects.get(codename=CANCEL_ANY))
    User.objects.filter(username="chief").update(is_staff=True, is_superuser=True)
    User.objects.filter(username="gone").update(is_active=False)
    return {name: User.objects.get(pk=user.pk) for name, user in people.items()}


def alone(user, run):
    """What the rules for one user say."""
    if not user.is_active:
        return Sight()
    try:
        run_for_read(user, run.pk)
    except NotFound:
        return Sight(signed_in=True)
    rights = rights_on(user, run.tree_id)
    return Sight(signed_in=True, read=True, run=rights.run, cancel=rights.cancel)


@pytest.mark.django_db
def test_all_together_are_told_what_each_is_told_alone():
    tree = make_tree(task("Report", executor=""), task("a"), owner=make_user("owner"))
    run = start(tree)
    people = cast(tree)
    with CaptureQueriesContext(connection) as many:
        found = sights(run.pk, [Watcher(user.pk) for user in people.values()])
    for name, user in people.items():
        assert found[Watcher(user.pk)] == alone(user, run), name
    assert {sight.run for sight in found.values()} == {True, False}
    with CaptureQueriesContext(connection) as one:
        sights(run.pk, [Watcher(people["owner"].pk)])
    assert len(many) == len(one) <= 6


@pytest.mark.django_db
def test_a_session_counts_until_it_ends():
    run = start(make_tree(task("Report", executor=""), task("a"), owner=make_user("ann")))
    client = Client()
    client.force_login(make_user("ann"))
    watcher = Watcher(make_user("ann").pk, client.session.session_key)

    def signed_in():
        return sights(run.pk, [watcher])[watcher].signed_in

    assert signed_in()
    assert not sights(run.pk, [Watcher(watcher.user_id, "0" * 32)])[Watcher(watcher.user_id, "0" * 32)].signed_in
    session = client.session
    session.set_expiry(timezone.now())
    session.save()
    assert not signed_in()
    session.set_expiry(600)
    session.save()
    assert signed_in()
    user = make_user("ann")
    user.set_password("another one")
    user.save()
    assert not signed_in()


@pytest.mark.django_db
def test_nobody_sees_a_run_that_is_gone():
    watcher = Watcher(make_user("ann").pk)
    assert sights(12345, [watcher])[watcher] == Sight(signed_in=True)


@pytest.mark.django_db(transaction=True)
async def test_asking_again_for_many_viewers_costs_what_it_costs_for_one():
    run = await sync_to_async(start)(await sync_to_async(make_tree)(owner=await sync_to_async(make_user)("ann")))
    watchers = [Watcher((await sync_to_async(make_user)(f"u{number}")).pk) for number in range(12)]
    calls = []

    async def answer(keys):
        calls.append(len(keys))
        return await sync_to_async(sights)(run.pk, keys)

    gathered = Gathered(answer, 0.2)
    await asyncio.gather(*(gathered.ask(watcher) for watcher in watchers))
    assert calls == [12]
