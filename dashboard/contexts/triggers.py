"""What the pages of a tree's triggers show."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orchestration.domain.triggers import BodyUse, Proof
from orchestration.domain.webhooks import SIGNATURE
from orchestration.models import Tree, Trigger
from orchestration.selectors.triggers import working_tasks
from orchestration.services.triggers import MAX_PER_MINUTE, address_of, secret_of

Words = tuple[tuple[str, str | Promise], ...]
OFFERED = 300  # tasks to choose from
PROOFS: Words = (
    (Proof.URL.value, gettext_lazy("a secret address")),
    (Proof.SIGNATURE.value, gettext_lazy("a signature on each request")),
)
USES: Words = (
    (BodyUse.NONE.value, gettext_lazy("must be empty")),
    (BodyUse.PAYLOAD.value, gettext_lazy("becomes one input as it is")),
    (BodyUse.INPUTS.value, gettext_lazy("sets inputs by their names")),
)
EXPIRIES: Words = (
    ("30", gettext_lazy("in 30 days")),
    ("90", gettext_lazy("in 90 days")),
    ("365", gettext_lazy("in a year")),
    ("0", gettext_lazy("never")),
)
KEEP: Words = (("", gettext_lazy("as it is")),)
NEW = {"proof": Proof.URL.value, "body": BodyUse.NONE.value, "days": "365", "per_minute": "10"}


@dataclass(frozen=True, slots=True)
class TriggerLine:
    """A trigger in the list."""

    name: str
    url: str
    proof: str | Promise
    state: str  # "" = it works
    last_used_at: datetime | None
    use_count: int


@dataclass(frozen=True, slots=True)
class TriggerForm:
    """The fields of a new trigger, or of one that is changed."""

    posted: dict[str, str]
    proofs: Words  # () = it has one already
    uses: Words
    expiries: Words
    tasks: tuple[tuple[str, str], ...]
    most: int
    several: bool  # more tasks than the form can show: it leaves them alone


@dataclass(frozen=True, slots=True)
class TriggerView:
    """One trigger with how to use it."""

    id: int
    name: str
    proof: str | Promise
    state: str
    enabled: bool
    signed: bool
    secret: str  # what is shown this once; "" = it was shown before
    address: str
    example: str
    takes: tuple[tuple[str, str], ...]  # (task, inputs)
    expires_at: datetime | None
    last_used_at: datetime | None
    use_count: int
    per_minute: int


def trigger_line(trigger: Trigger, now: datetime) -> TriggerLine:
    """*trigger* as a line."""
    return TriggerLine(
        trigger.name,
        trigger.get_absolute_url(),
        dict(PROOFS)[trigger.proof],
        _state(trigger, now),
        trigger.last_used_at,
        trigger.use_count,
    )


def trigger_form(tree: Tree, trigger: Trigger | None, posted: dict[str, str] | None = None) -> TriggerForm:
    """The form, filled with what was *posted*, else with what *trigger* has."""
    tasks = tuple((str(pk), name) for pk, name in working_tasks(tree, OFFERED))
    if trigger is None:
        return TriggerForm(posted or NEW, PROOFS, USES, EXPIRIES, tasks, MAX_PER_MINUTE, False)
    several, filled = len(trigger.inputs) > 1, posted or _filled(trigger)
    return TriggerForm(filled, (), USES, (*KEEP, *EXPIRIES), tasks, MAX_PER_MINUTE, several)


def trigger_view(tree: Tree, trigger: Trigger, now: datetime, host: str, *, secret: bool) -> TriggerView:
    """*trigger* on its page. *host*: such as https://apflow.example; *secret*: show it, this once."""
    signed = trigger.proof == Proof.SIGNATURE
    names = {str(pk): name for pk, name in tree.tasks.filter(pk__in=list(trigger.inputs)).values_list("pk", "name")}
    address = host + address_of(trigger, secret=secret)
    return TriggerView(
        id=trigger.pk,
        name=trigger.name,
        proof=dict(PROOFS)[trigger.proof],
        state=_state(trigger, now),
        enabled=trigger.enabled,
        signed=signed,
        secret=(secret_of(trigger) if signed else address) if secret else "",
        address=address,
        example=_example(trigger, address if secret or signed else f"{address}$SECRET/", signed),
        takes=tuple((names.get(task, _("a task that is gone")), ", ".join(n)) for task, n in trigger.inputs.items()),
        expires_at=trigger.expires_at,
        last_used_at=trigger.last_used_at,
        use_count=trigger.use_count,
        per_minute=trigger.per_minute,
    )


def _state(trigger: Trigger, now: datetime) -> str:
    if not trigger.enabled:
        return _("disabled")
    return _("expired") if trigger.expires_at is not None and trigger.expires_at <= now else ""


def _filled(trigger: Trigger) -> dict[str, str]:
    task, names = next(iter(trigger.inputs.items()), ("", []))
    return {
        "name": trigger.name,
        "body": trigger.body,
        "task": task,
        "inputs": ", ".join(names),
        "per_minute": str(trigger.per_minute),
        "days": "",
    }


def _example(trigger: Trigger, address: str, signed: bool) -> str:
    """What a shell would send."""
    body = _sample(trigger)
    json_type = "-H 'Content-Type: application/json' "
    if not signed:
        sent = f"{json_type}-d {shlex.quote(body)} " if body else ""
        return f'curl -X POST {sent}"{address}"'
    return "\n".join([
        f"body={shlex.quote(body)}; t=$(date +%s)",
        "mark=$(printf '%s.%s' \"$t\" \"$body\" | openssl dgst -sha256 -hmac \"$SECRET\" -r | cut -d' ' -f1)",
        f'curl -X POST -H "{SIGNATURE}: t=$t,v1=$mark" {json_type}-d "$body" "{address}"',
    ])  # fmt: skip


def _sample(trigger: Trigger) -> str:
    if trigger.body == BodyUse.NONE:
        return ""
    if trigger.body == BodyUse.PAYLOAD:
        return '{"any": "JSON"}'
    names: list[Any] = [name for names in trigger.inputs.values() for name in names]
    return json.dumps(dict.fromkeys(names, "…"), ensure_ascii=False)
