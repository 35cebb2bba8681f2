"""What every view has in common: reading lists, and writing with audit, throttle and idempotency."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orchestration.api.errors import PreconditionFailed
from orchestration.api.parsing import Body, read
from orchestration.api.shapes import Shape
from orchestration.domain.errors import Invalid, Problem
from orchestration.failpoints import failpoint
from orchestration.selectors.api_lists import GENERAL, Listing, page_of, read_fields, read_query
from orchestration.services import audit, idempotency, throttle


@dataclass(frozen=True, slots=True)
class Done:
    """What a writing request has come to."""

    data: Any  # JSON data; None = no content
    target: str = ""  # for the audit log, such as "tree:7"
    details: Mapping[str, Any] = field(default_factory=dict)
    location: str = ""


class ApiView(APIView):
    """One resource. `scopes`: method -> the token scope that it needs, where that is less than admin."""

    scopes: ClassVar[dict[str, str]] = {}

    @property
    def user(self) -> Any:
        """Who asks; signed in, once the permissions are checked."""
        return self.request.user

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """The body is read here once: chunked ones have no length, and a digest of it is needed for idempotency."""
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            request.META["CONTENT_LENGTH"] = str(len(request.body))
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raises Invalid for an Idempotency-Key that is none, also where nothing is written, as in previews."""
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and "Idempotency-Key" in request.headers:
            idempotency.check_key(request.headers["Idempotency-Key"])

    def body(self, shape: type[Body]) -> dict[str, Any]:
        """The checked fields of the request. Raises Invalid."""
        return read(shape, self.request.data)

    def listed(
        self, rows: QuerySet[Any], listing: Listing, shape: type[Shape], context: dict[str, Any] | None = None
    ) -> Response:
        """A page of *rows*, filtered and ordered as the address asks. Raises Invalid."""
        query = read_query(self.request.query_params, listing)
        fields = read_fields(self.request.query_params, shape.names())
        page = page_of(rows, query, listing)
        items = shape(page.items, many=True, only=fields, context=context or {}).data
        following = None
        if page.next:
            params = self.request.query_params.copy()
            params["cursor"] = page.next
            following = f"{self.request.path}?{params.urlencode()}"
        return Response({"items": items, "next": following})

    def shown(self, shape: type[Shape], row: Any, *, etag: int | None = None) -> Response:
        """One object, with the fields that the address asks for. Raises Invalid."""
        only_known(self.request, "fields")
        fields = read_fields(self.request.query_params, shape.names())
        headers = {"ETag": f'"{etag}"'} if etag is not None else {}
        return Response(shape(row, only=fields).data, headers=headers)

    def commit(self, action: str, do: Callable[[], Done], *, status: int = 200) -> Response:
        """The answer of *do*, carried out in one transaction with its audit entries; with an Idempotency-Key, once.

        Raises what *do* raises, TooMany, Conflict (idempotency_conflict), Invalid (the header).
        """
        key = self.request.headers.get("Idempotency-Key") if self.request.method == "POST" else None
        with transaction.atomic():
            claimed = None if key is None else self._claim(key)
            if isinstance(claimed, idempotency.Remembered):
                headers = {"Idempotent-Replayed": "true"}
                return Response(claimed.answer, status=claimed.status, headers=headers)
            throttle.write_allowed(self.request.user)
            with audit.together() as told:
                done = do()
                if not told:  # else the service has said more than is known here
                    self.note(action, done.target, done.details)
            if claimed is not None:
                idempotency.remember(claimed, status=status, answer=done.data)
        failpoint("web.committed")
        headers = {"Location": done.location} if done.location else {}
        return Response(done.data, status=status, headers=headers)

    def note(self, action: str, target: str, details: Mapping[str, Any]) -> None:
        """An entry of the audit log."""
        address = throttle.client_address(self.request)
        audit.record(actor=self.request.user, action=action, target=target, details=details, ip=address)

    def _claim(self, key: str) -> Any:
        method, path = str(self.request.method), self.request.get_full_path()
        digest = idempotency.fingerprint(method, path, self.request._request.body)
        return idempotency.claim(user=self.request.user, key=idempotency.check_key(key), fingerprint=digest)


def only_known(request: Request, *names: str) -> None:
    """Raises Invalid for a query parameter that is not one of *names*, or is given twice."""
    known = ", ".join(names) or "none"
    for name, values in request.query_params.lists():
        if name not in names:
            raise Invalid([Problem(name[:64], f"unknown parameter; known: {known}", "unknown_filter")])
        if len(values) > 1:
            raise Invalid([Problem(name, "given more than once", "invalid_filter")])


def filter_params(given: Mapping[str, Any], noun: str) -> QueryDict:
    """The filters that a body gives, as the address of the list of *noun* would. Raises Invalid."""
    params = QueryDict(mutable=True)
    for name, value in given.items():
        if not isinstance(value, str) or name in GENERAL:
            problem = Problem(f"filter.{name[:64]}", f"expected a filter of {noun} with a text", "invalid_filter")
            raise Invalid([problem])
        params[name] = value
    return params


def if_match(request: Request) -> int | None:
    """The version in If-Match, or None without one (or with *). Raises Invalid."""
    text = request.headers.get("If-Match", "*").strip()
    if text == "*":
        return None
    number = text.removeprefix("W/").strip('"')
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise Invalid([Problem("If-Match", 'expected the version in quotes, such as "3"', "invalid_header")])
    return int(number)


def require_match(expected: int | None, version: int, noun: str) -> None:
    """Raises PreconditionFailed unless *version* is *expected* (None: anything is)."""
    if expected is not None and expected != version:
        message = f"the {noun} was changed meanwhile (now version {version}): reload, then change it again"
        raise PreconditionFailed(message, field="If-Match")
