"""What the pages about access show: tokens, shares, the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dashboard.contexts.common import query_of
from orchestration.models import ApiToken, AuditEntry
from orchestration.selectors.doors import PAGE, SEQ_MAX, AuditFilter

MAX_DETAILS, MAX_WORD = 300, 200  # characters


@dataclass(frozen=True, slots=True)
class TokenLine:
    """A token in the list."""

    id: int
    name: str
    prefix: str
    scope: str
    use_shell: bool
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    state: str  # "" = usable


@dataclass(frozen=True, slots=True)
class AuditLine:
    """An entry of the audit log."""

    seq: int
    at: datetime
    actor: str
    action: str
    target: str
    details: str
    ip: str


@dataclass(frozen=True, slots=True)
class AuditView:
    """A page of the audit log with its filter."""

    lines: tuple[AuditLine, ...]
    wanted: AuditFilter
    next_url: str
    first_url: str  # "" on the first page
    filtered: bool


def token_line(token: ApiToken, now: datetime) -> TokenLine:
    """*token* as a line."""
    state = ""
    if token.revoked_at is not None:
        state = "revoked"
    elif token.expires_at is not None and token.expires_at <= now:
        state = "expired"
    return TokenLine(
        token.pk,
        token.name,
        token.prefix,
        token.scope,
        token.use_shell,
        token.created_at,
        token.last_used_at,
        token.expires_at,
        state,
    )


def audit_filter_of(query: Mapping[str, str]) -> AuditFilter:
    """The filter that an address asks for; nonsense is left out."""
    words = {name: query.get(name, "").replace("\x00", "").strip()[:MAX_WORD] for name in ("actor", "action", "target")}
    before = query.get("before", "")
    known = before.isascii() and before.isdigit() and int(before[:20]) <= SEQ_MAX
    return AuditFilter(**words, before=int(before[:20]) if known else None)


def audit_view(entries: list[AuditEntry], wanted: AuditFilter) -> AuditView:
    """The page ready to be shown; *entries* may hold one more than a page."""
    chosen = {"actor": wanted.actor, "action": wanted.action, "target": wanted.target}
    page = entries[:PAGE]
    following = query_of(**chosen, before=page[-1].seq) if len(entries) > PAGE else ""
    return AuditView(
        lines=tuple(_audit_line(entry) for entry in page),
        wanted=wanted,
        next_url=f"?{following}" if following else "",
        first_url=f"?{query_of(**chosen)}" if wanted.before is not None else "",
        filtered=any(chosen.values()),
    )


def _audit_line(entry: AuditEntry) -> AuditLine:
    details = "" if entry.details == "{}" else entry.details
    if len(details) > MAX_DETAILS:
        details = details[:MAX_DETAILS] + "…"
    return AuditLine(entry.seq, entry.at, entry.actor or "—", entry.action, entry.target, details, entry.ip)
