"""The rights that tasks run with: one query for all owners that are asked about."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from orchestration.domain.rights import HTTP_PRIVATE, NOBODY, RUN_TREE, USE_SHELL, Rights
from orchestration.driver import driver_cursor, native

ASKED = (RUN_TREE, HTTP_PRIVATE, USE_SHELL)
CHUNK = 200  # owners per query: SQLite allows 999 parameters on old builds
USERS = "SELECT u.id, u.username, u.is_active, u.is_superuser, '' FROM auth_user u WHERE u.id IN ({users})"
GRANTED = """SELECT {holder}.user_id, '', NULL, NULL, p.codename FROM {tables}
 JOIN auth_permission p ON p.id = {link}.permission_id JOIN django_content_type c ON c.id = p.content_type_id
 WHERE {holder}.user_id IN ({users}) AND p.codename IN ({rights}) AND c.app_label = 'orchestration'"""
BY_GROUP = "auth_user_groups h JOIN auth_group_permissions l ON l.group_id = h.group_id"


def rights_of(user_ids: Collection[int | None]) -> dict[int | None, Rights]:
    """User id -> what the rows say now; of somebody who is gone, nothing. One query per 200 users."""
    found: dict[int | None, Rights] = dict.fromkeys(user_ids, NOBODY)
    asked = [user_id for user_id in found if user_id is not None]
    for start in range(0, len(asked), CHUNK):
        found.update(_read(asked[start : start + CHUNK]))
    return found


@lru_cache(maxsize=CHUNK)
def _query(count: int) -> str:
    """For so many users; a step of the engine asks with it."""
    users, rights = (", ".join(["%s"] * places) for places in (count, len(ASKED)))
    own = GRANTED.format(holder="h", link="h", tables="auth_user_user_permissions h", users=users, rights=rights)
    by_group = GRANTED.format(holder="h", link="l", tables=BY_GROUP, users=users, rights=rights)
    return native(" UNION ALL ".join([USERS.format(users=users), own, by_group]))


def _read(user_ids: list[int]) -> dict[int | None, Rights]:
    known: dict[int, tuple[str, bool, bool]] = {}
    granted: dict[int, set[str]] = {}
    with driver_cursor() as cursor:
        cursor.execute(_query(len(user_ids)), [*user_ids, *user_ids, *ASKED, *user_ids, *ASKED])
        for user_id, name, active, superuser, right in cursor.fetchall():
            if right:
                granted.setdefault(user_id, set()).add(right)
            else:
                known[user_id] = (name, bool(active), bool(superuser))
    return {user_id: Rights(*flags, frozenset(granted.get(user_id, ()))) for user_id, flags in known.items()}
