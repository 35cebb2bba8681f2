"""Reads for the pages about access: tokens, shares and the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestration.domain.errors import Forbidden, NotFound
from orchestration.models import ApiToken, AuditEntry, Tree, TreeShare

PAGE = 50
TOKENS = 200
SEQ_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries; "" = any."""

    actor: str = ""
    action: str = ""
    target: str = ""
    before: int | None = None  # seq


def tokens_of(user: Any) -> list[ApiToken]:
    """The newest 200 tokens of *user*, usable ones first."""
    mine = ApiToken.objects.filter(user=user)
    usable = list(mine.filter(revoked_at=None)[:TOKENS])
    return [*usable, *mine.exclude(revoked_at=None)[: TOKENS - len(usable)]]


def shares_of(tree: Tree) -> list[TreeShare]:
    """With whom the tree is shared, by name."""
    return list(TreeShare.objects.filter(tree=tree).select_related("user").order_by("user__username"))


def share_with(tree: Tree, username: str) -> TreeShare | None:
    """The share of that user, if there is one."""
    if "\x00" in username:
        return None
    return TreeShare.objects.filter(tree=tree, user__username=username.strip()[:150]).first()


def share_of(tree: Tree, share_id: int) -> TreeShare:
    """The share of the tree with its user. Raises NotFound."""
    try:
        found = TreeShare.objects.select_related("user").filter(tree=tree, pk=share_id).first()
    except OverflowError:
        found = None
    if found is None:
        raise NotFound(f"no share {share_id}")
    return found


def may_audit(user: Any) -> bool:
    """Whether *user* may read the audit log."""
    return bool(user.is_active and (user.is_staff or user.has_perm("auth.change_user")))


def audit_page(user: Any, wanted: AuditFilter) -> list[AuditEntry]:
    """The entries that fit, newest first: a page and one more. Raises Forbidden."""
    if not may_audit(user):
        raise Forbidden("only administrators and staff may read the audit log")
    chosen = {"actor": wanted.actor, "action": wanted.action, "target": wanted.target}
    rows = AuditEntry.objects.filter(**{key: value for key, value in chosen.items() if value})
    if wanted.before is not None:
        rows = rows.filter(seq__lt=wanted.before)
    return list(rows.order_by("-seq")[: PAGE + 1])
