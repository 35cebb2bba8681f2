"""Who still sees a run, and what they may do with it: for all who watch it at once, by a fixed number of queries."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from orchestration.domain.rights import CANCEL_ANY
from orchestration.models import Run, Tree, TreeShare

RUN_TREE = "run_tree"


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who watches: a user, signed in by that session ("": by none, so the account alone counts)."""

    user_id: Any
    session_key: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a watcher is: signed in or not; sees the run or not; may run and cancel it or not."""

    signed_in: bool = False
    read: bool = False
    run: bool = False
    cancel: bool = False


def sights(run_id: int, watchers: Collection[Watcher]) -> dict[Watcher, Sight]:
    """What each of *watchers* may do with the run and its tree, as `access` says of one user. Six queries."""
    users = {user.pk: user for user in User.objects.filter(pk__in={w.user_id for w in watchers}, is_active=True)}
    proofs = _proofs({w.session_key for w in watchers} - {""})
    found = Run.objects.select_related("tree").filter(pk=run_id).first()
    rights = rights_of(found.tree, users.values()) if found is not None else {}
    return {
        watcher: rights.get(watcher.user_id, Sight(signed_in=True)) if _is_in(watcher, users, proofs) else Sight()
        for watcher in watchers
    }


def rights_of(tree: Tree, users: Iterable[User]) -> dict[int, Sight]:
    """What each of the active *users* may do with *tree*. Three queries."""
    every = {user.pk: user for user in users}
    shares = dict(TreeShare.objects.filter(tree=tree, user__in=every).values_list("user_id", "right"))
    able, over = (
        set(User.objects.with_perm(f"orchestration.{right}").filter(pk__in=every).values_list("pk", flat=True))
        for right in (RUN_TREE, CANCEL_ANY)
    )
    return {
        pk: _sight(tree, user, shares.get(pk), able=pk in able, cancels_all=pk in over and user.is_staff)
        for pk, user in every.items()
    }


def _sight(tree: Tree, user: User, share: str | None, *, able: bool, cancels_all: bool) -> Sight:
    own = tree.owner_id == user.pk
    read = own or user.is_staff or share is not None
    run = read and able and (own or user.is_superuser or share == TreeShare.RUN)
    return Sight(signed_in=True, read=read, run=run, cancel=run or (read and cancels_all))


def _proofs(keys: Collection[str]) -> dict[str, str]:
    """What each session that has not expired knows of its user's password."""
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now()) if keys else []
    return {row.session_key: str(SessionStore().decode(row.session_data).get(HASH_SESSION_KEY, "")) for row in rows}


def _is_in(watcher: Watcher, users: dict[Any, User], proofs: dict[str, str]) -> bool:
    """Signed in still: sessions end by logout, expiry and a changed password."""
    user = users.get(watcher.user_id)
    if user is None or not watcher.session_key:
        return user is not None
    return constant_time_compare(proofs.get(watcher.session_key, ""), user.get_session_auth_hash())
