"""`send_email`: one message through Django's mail settings."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email

from orchestration.executors.base import ExecutionContext, Executor, ExecutorError

MAX_RECIPIENTS = 100
_ADDRESSES = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": MAX_RECIPIENTS}],
}


class SendEmail(Executor):
    id = "send_email"
    name = "Send e-mail"
    description = "Sends one message through the mail server of the settings. Cannot be stopped once it has started."
    aliases = ("send_email_executor",)
    input_schema = {
        "type": "object",
        "properties": {
            "to": {"title": "To", "description": "One address or several.", **_ADDRESSES},
            "subject": {"type": "string", "title": "Subject", "maxLength": 998, "default": ""},
            "body": {"type": "string", "title": "Text", "default": ""},
            "html": {"type": "string", "title": "HTML version", "default": ""},
            "cc": {"title": "Copy to", **_ADDRESSES},
            "bcc": {"title": "Blind copy to", **_ADDRESSES},
            "reply_to": {"title": "Answer to", **_ADDRESSES},
        },
        "required": ["to"],
    }
    output_schema = {
        "type": "object",
        "properties": {"success": {"type": "boolean"}, "recipients": {"type": "integer"}},
    }
    cancelable = False

    def run(self, ctx: ExecutionContext) -> dict[str, Any]:
        addresses = {field: _addresses(field, ctx.inputs.get(field)) for field in ("to", "cc", "bcc", "reply_to")}
        recipients = sum(len(addresses[field]) for field in ("to", "cc", "bcc"))
        if not addresses["to"]:
            raise _invalid("to: give at least one address")
        if recipients > MAX_RECIPIENTS:
            raise _invalid(f"to, cc, bcc: at most {MAX_RECIPIENTS} addresses, not {recipients}")
        message = EmailMultiAlternatives(
            subject=_one_line("subject", ctx.inputs.get("subject", "")),
            body=str(ctx.inputs.get("body", "")),
            headers={"X-Idempotency-Key": ctx.idempotency_key} if ctx.idempotency_key else None,
            to=addresses["to"],
            cc=addresses["cc"],
            bcc=addresses["bcc"],
            reply_to=addresses["reply_to"],
        )
        if ctx.inputs.get("html"):
            message.attach_alternative(str(ctx.inputs["html"]), "text/html")
        sent = message.send()
        return {"success": sent == 1, "recipients": recipients, "to": addresses["to"], "subject": message.subject}


def _addresses(field: str, given: Any) -> list[str]:
    if given is None or given == "":
        return []
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(address, str) for address in listed):
        raise _invalid(f"{field}: give an address or a list of addresses")
    return [_address(field, address) for address in listed]


def _address(field: str, address: str) -> str:
    text = _one_line(field, address).strip()
    try:
        validate_email(text)
    except ValidationError:
        raise _invalid(f"{field}: '{text[:100]}' is not an e-mail address") from None
    return text


def _one_line(field: str, text: Any) -> str:
    if any(character in str(text) for character in "\r\n\0"):
        raise _invalid(f"{field}: line breaks are not allowed")
    return str(text)


def _invalid(message: str) -> ExecutorError:
    return ExecutorError(message, code="invalid_inputs", retryable=False)
