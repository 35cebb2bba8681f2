"""The OpenAPI description: every view with its parameters, answers, errors, examples, and what leads where."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.utils.translation import get_language
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from orchestration.api.parsing import Body
from orchestration.api.shapes import ProblemShape, Shape
from orchestration.selectors.api_lists import INT_MAX, MAX_CURSOR, MAX_FIELDS, MAX_PAGE, MAX_WORDS, Filter, Listing
from orchestration.services.idempotency import KEY

TYPES: dict[str, Any] = {
    "string": {"type": "string", "minLength": 1, "maxLength": MAX_WORDS},
    "integer": {"type": "integer", "minimum": -INT_MAX, "maximum": INT_MAX},
    "boolean": bool, "uuid": OpenApiTypes.UUID, "date-time": OpenApiTypes.DATETIME,
}  # fmt: skip
ERRORS = {
    400: "The request is wrong; `problems` lists what, where and how to mend it",
    401: "No valid login or token",
    403: "Your role, your token's scope or a missing CSRF token does not allow it",
    404: "No such thing, or you may not know of it",
    405: "Another method is needed",
    406: "Only application/json is answered",
    409: "The state of things does not allow it now",
    412: "If-Match names another version",
    413: "Larger than 5 MiB",
    415: "Send application/json",
    429: "Too many requests: wait for Retry-After seconds",
    500: "A mistake of ours; the server's log has it",
    503: "The database is busy: try again",
}
READING = (400, 401, 403, 404, 405, 406, 429, 500, 503)
WRITING = (*READING, 409, 412, 413, 415)


class ErrorDetailShape(Shape):
    code = serializers.CharField(help_text="For programs, such as not_found")
    message = serializers.CharField(help_text="For people")
    field = serializers.CharField(help_text="What it is about; may be empty")


class ErrorShape(Shape):
    error = ErrorDetailShape()
    problems = ProblemShape(many=True, required=False)
    error_id = serializers.CharField(required=False)


class Schema(AutoSchema):
    """Tags by resource: the first word after /api/v1/."""

    def get_tags(self) -> list[str]:
        words = str(self.path).removeprefix("/api/v1/").split("/")
        return [words[0] or "api"]

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        """Bodies hold the fields that are told and nothing else: `parsing.read` refuses the rest."""
        found = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        return {**found, "additionalProperties": False} if isinstance(serializer, Body) else found


class Generator(SchemaGenerator):
    """The same description for everybody who may see it, so it is made once: that takes half a second."""

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        return _description(self.urlconf, self.api_version, get_language(), public)


@lru_cache(maxsize=8)
def _description(urlconf: Any, version: str | None, _language: str | None, public: bool) -> Any:
    return SchemaGenerator(urlconf=urlconf, api_version=version).get_schema(public=public)  # type: ignore[no-untyped-call]


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "orchestration.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "A token of the tokens page, beginning with apf_"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "orchestration.api.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "apflow_session", "description": "Writing needs X-CSRFToken"}


def query(
    name: str, help: str, kind: str = "string", choices: Iterable[str] = (), *, required: bool = False, **limits: Any
) -> OpenApiParameter:
    """A query parameter. *limits*: keywords of JSON Schema that replace those of the kind."""
    if choices:
        return OpenApiParameter(name, str, description=help, enum=list(choices), required=required)
    schema = {**TYPES[kind], **limits} if isinstance(TYPES[kind], dict) else TYPES[kind]
    return OpenApiParameter(name, schema, description=help, required=required)


def _filter(name: str, filter_: Filter) -> OpenApiParameter:
    return query(name, filter_.help, filter_.kind, filter_.choices)


def _header(name: str, pattern: str, help: str) -> OpenApiParameter:
    schema = {"type": "string", "pattern": f"^{pattern}$"}
    return OpenApiParameter(name, schema, OpenApiParameter.HEADER, description=help)


FIELDS = query(
    "fields", "Only these fields, separated by commas", pattern="^ *[a-z_]+ *(, *[a-z_]+ *)*$", maxLength=MAX_FIELDS
)
PAGE_SIZE = query("page_size", f"1 to {MAX_PAGE}; 50 unless told", "integer", minimum=1, maximum=MAX_PAGE)
CURSOR = query("cursor", "From `next` of the page before", pattern="^[A-Za-z0-9_-]+$", maxLength=MAX_CURSOR)
PAGING = (CURSOR, PAGE_SIZE, FIELDS)
IDEMPOTENCY = _header(
    "Idempotency-Key", KEY.pattern, "Sent again with the same body within 24 hours: the same answer, done once"
)
IF_MATCH = _header("If-Match", r'(\*|(W/)?"?[0-9]{1,9}"?)', 'The version that you have seen, such as "3"')


@lru_cache
def page_shape(shape: type[Shape]) -> type[Shape]:
    """A page of *shape*."""
    fields = {
        "items": shape(many=True),
        "next": serializers.CharField(allow_null=True, help_text="Address of the next page"),
    }
    return type(shape.__name__.replace("Shape", "PageShape"), (Shape,), fields)


def described(
    name: str,
    summary: str,
    answer: Any = None,
    *,
    status: int = 200,
    body: Any = None,
    listing: Listing | None = None,
    parameters: Iterable[OpenApiParameter] = (),
    example: Any = None,
    writes: bool = False,
    selectable: bool = False,
    conflicts: Iterable[int] = (),
    also: dict[int, Any] | None = None,
) -> Callable[[Any], Any]:
    """A decorator for a view's method. *name* is the operation's id, *example* one of the body."""
    given = list(parameters)
    if listing is not None:
        given += [_filter(n, f) for n, f in listing.filters.items()]
        both = [sign + n for n in listing.orders for sign in ("", "-")]
        given += [query("ordering", f"{listing.default} unless told", choices=both), *PAGING]
        answer = page_shape(answer)
    elif selectable:
        given.append(FIELDS)
    if body is not None or (writes and name.split("_")[-1] not in ("delete", "revoke", "update")):
        given += [IDEMPOTENCY] if not name.endswith("_update") else []
    errors = WRITING if writes or body is not None else READING
    responses: dict[int, Any] = {code: OpenApiResponse(ErrorShape, description=ERRORS[code]) for code in errors}
    responses[status] = OpenApiResponse(answer, description=summary)
    for code in conflicts:
        responses[code] = OpenApiResponse(ErrorShape, description=ERRORS[code])
    responses |= also or {}
    examples = [OpenApiExample("example", value=example, request_only=True)] if example is not None else []
    return extend_schema(
        operation_id=name, summary=summary, request=body, responses=responses, parameters=given, examples=examples
    )


@dataclass(frozen=True, slots=True)
class Link:
    """What an answer leads to."""

    name: str
    status: str  # of the answer
    target: str  # the operation
    parameters: dict[str, str]
    body: dict[str, Any] | None = None  # what to send; else anything that fits

    @property
    def described(self) -> dict[str, Any]:
        """It in the words of OpenAPI."""
        found: dict[str, Any] = {"operationId": self.target, "parameters": self.parameters}
        return found if self.body is None else {**found, "requestBody": self.body}


TREE_ID = {"tree_id": "$response.body#/id"}
ROOT_ID = {"task_id": "$response.body#/root"}
RUN_ID = {"run_id": "$response.body#/id"}
WHOLE = {"mode": "all", "chosen": [], "overrides": {}}


def _of_tree(status: str) -> list[Link]:
    readers = ("tree_get", "tree_task_list", "tree_dependency_list", "tree_run_list", "tree_export", "tree_dry_run")
    return [
        Link("run", status, "run_start", TREE_ID, WHOLE),
        *(Link(target.removeprefix("tree_"), status, target, TREE_ID) for target in readers),
        Link("delete", status, "tree_delete", TREE_ID),
        *(Link(target, status, target, ROOT_ID) for target in ("task_get", "task_explain", "task_attempt_list")),
        Link("copy", status, "task_copy", ROOT_ID, {"overrides": {}}),
        Link("link", status, "task_link", ROOT_ID),
        Link("archive", status, "task_archive", ROOT_ID),
    ]


def _of_run(status: str) -> list[Link]:
    readers = {"get": "run_get", "events": "event_list", "attempts": "run_attempt_list", "explain": "run_explain"}
    return [
        Link("cancel", status, "run_cancel", RUN_ID),
        *(Link(name, status, target, RUN_ID) for name, target in readers.items()),
    ]


LINKS: dict[str, list[Link]] = {  # operation -> what its answers lead to
    "tree_create": _of_tree("201"),
    "tree_import": _of_tree("201"),
    "task_copy": _of_tree("201"),
    "run_start": _of_run("202"),
    "run_retry": _of_run("202"),
    "run_cancel": [Link("reexecute", "200", "run_retry", RUN_ID, WHOLE), Link("get", "200", "run_get", RUN_ID)],
}


def finish(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A postprocessing hook: adds the links, which the generator has no word for."""
    operations = {
        operation["operationId"]: operation
        for path in result["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict) and "operationId" in operation
    }
    for source, links in LINKS.items():
        for link in links:
            responses = operations[source]["responses"]
            responses[link.status].setdefault("links", {})[link.name] = link.described
    return result
