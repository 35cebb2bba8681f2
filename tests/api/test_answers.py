"""What all answers have in common: errors, pages, chosen fields, repeated requests, limits."""

from __future__ import annotations

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test.utils import CaptureQueriesContext

from orchestration.api.views import catalogue
from orchestration.models import IdempotencyKey, Run, Tree
from orchestration.services.runs import run_start
from tests.api.conftest import Api, error_of
from tests.factories import make_tree, make_user, task, task_named

pytestmark = pytest.mark.django_db


def refusal(answer):
    return answer.status_code, error_of(answer)["code"], error_of(answer)["field"]


def test_one_shape_for_every_error(api, tree):
    path = f"trees/{tree.pk}/"
    assert refusal(api.get("nothing/here/")) == (404, "not_found", "")
    assert refusal(api.get("/api/v2/")) == (404, "not_found", "")
    assert refusal(api.get("tasks/a%0A/")) == (404, "not_found", "")
    assert refusal(api.send("put", path, {})) == (405, "method_not_allowed", "")
    assert error_of(api.send("put", path, {}))["message"] == "use GET or PATCH or DELETE"
    assert refusal(api.get(path, Accept="text/xml")) == (406, "not_acceptable", "")
    assert refusal(api.send("post", "trees/", "name=x", content_type="text/plain"))[:2] == (
        415,
        "unsupported_media_type",
    )
    assert refusal(api.post("trees/", b"{")) == (400, "invalid_json", "")
    assert refusal(api.get("trees/99999999999999999999999/")) == (404, "not_found", "")
    assert refusal(api.get(f"tasks/{tree.pk}/")) == (404, "not_found", "")
    assert refusal(Api().get("trees/")) == (401, "not_authenticated", "")
    assert refusal(api.get("trees/?format=xml")) == (400, "unknown_filter", "format")


def test_all_problems_are_told_at_once(api):
    answer = api.post("trees/", {"tasks": [{"name": "a", "priority": 9}, {"nam": "b"}]})
    assert [(p["path"], p["code"]) for p in answer.json()["problems"]] == [
        ("tasks[0].priority", "invalid_choice"),
        ("tasks[1].nam", "unknown_field"),
        ("tasks[1]", "required"),
        ("", "many_roots"),
    ]
    body = api.post("trees/import/", {"text": 1, "formt": "x", "labels": ["a", 2]})
    assert [(p["path"], p["code"]) for p in body.json()["problems"]] == [
        ("formt", "unknown_field"),
        ("text", "invalid_type"),
        ("labels[1]", "invalid_type"),
    ]


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_flags_are_true_or_false(api, tree, value):
    load = task_named(tree, "load").pk
    answer = api.post(f"tasks/{load}/copy/", {"recursive": value})
    assert refusal(answer) == (400, "invalid_type", "recursive")


def test_accidents_have_a_number_and_no_details(api, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("SELECT secret")

    monkeypatch.setattr(catalogue.overview, "queue", broken)
    answer = api.get("queue/")
    assert refusal(answer) == (500, "internal_error", "")
    assert b"SELECT" not in answer.content
    assert answer.json()["error_id"] in error_of(answer)["message"]
    assert answer.json()["error_id"] in caplog.text


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
def test_a_database_that_is_away_is_no_accident(api, monkeypatch, kind):
    def away(*_):
        raise kind("connection already closed")

    monkeypatch.setattr(catalogue.overview, "queue", away)
    answer = api.get("queue/")
    assert (refusal(answer)[:2], answer["Retry-After"]) == ((503, "unavailable"), "1")


def test_pages_follow_each_other_without_gap_or_repetition(api, ann):
    trees = [make_tree(task(name), owner=ann).pk for name in ("b", "a", "c", "a", "b")]
    for ordering in ("id", "-id", "name", "-name", "created_at", "-updated_at"):
        seen, path = [], f"trees/?page_size=2&ordering={ordering}"
        while path:
            page = api.get(path).json()
            seen += [(t["name"], t["id"]) for t in page["items"]]
            path = page["next"]
        assert sorted(pk for _, pk in seen) == sorted(trees)
        if ordering == "name":
            assert seen == sorted(seen)


@pytest.mark.parametrize(
    "cursor",
    ["x", "%00", "W10", "WyItaWQiLCAiMSIsICIxIl0x", "WyJpZCIsICIxIiwgIjEiXQ", "e30", "bnVsbA", "a" * 3000],
)
def test_a_cursor_of_another_list_is_refused(api, cursor):
    answer = api.get(f"trees/?cursor={cursor}")
    assert answer.status_code == 400
    assert error_of(answer)["code"] in ("invalid_cursor", "invalid_character")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("trees/?page_size=0", "out_of_range"),
        ("trees/?page_size=201", "out_of_range"),
        ("trees/?page_size=x", "out_of_range"),
        ("trees/?ordering=owner__password", "invalid_ordering"),
        ("trees/?ordering=--id", "invalid_ordering"),
        ("trees/?owner__password=x", "unknown_filter"),
        ("trees/?_connector=OR", "unknown_filter"),
        ("trees/?id=1&id=2", "invalid_filter"),
        ("trees/?id=99999999999999999999", "invalid_filter"),
        ("trees/?status=done", "invalid_choice"),
        ("trees/?archived=1", "invalid_filter"),
        ("trees/?created_since=yesterday", "invalid_filter"),
        ("trees/?created_since=9999-12-31T23:59:59-23:59", "invalid_filter"),
        ("trees/?search=%00", "invalid_character"),
        ("trees/?fields=id,password", "unknown_field"),
        ("trees/?fields=", "unknown_field"),
        ("tasks/?id=abc", "invalid_filter"),
        ("runs/?mode=some", "invalid_choice"),
        ("compare/?a=x&b=1", "invalid_filter"),
        ("compare/?a=1", "required"),
        ("executors/?x=1", "unknown_filter"),
    ],
)
def test_unknown_and_unfit_parameters(api, path, code):
    answer = api.get(path)
    assert (answer.status_code, error_of(answer)["code"]) == (400, code), answer.content


def test_filters(api, ann):
    first = make_tree(task("alpha"), owner=ann, labels=("x",))
    second = make_tree(task("beta"), owner=ann)
    run_start(user=ann, tree_id=second.pk)

    def found(query):
        return [t["id"] for t in api.get(f"trees/?ordering=id&{query}").json()["items"]]

    assert found("search=ALPH") == found("label=x") == found("status=never") == found(f"id={first.pk}") == [first.pk]
    assert found("status=in_progress") == [second.pk]
    assert found("owner=ann&archived=false&origin=create&created_since=2020-01-01T00:00:00Z") == [first.pk, second.pk]
    assert found("owner=2") == found("archived=true") == found("created_before=2020-01-01") == []


def test_chosen_fields(api, tree):
    assert api.get("trees/?fields=id,name").json()["items"] == [{"id": tree.pk, "name": "Report"}]
    assert api.get(f"trees/{tree.pk}/?fields=version").json() == {"version": 1}


LISTS = ("trees/", "tasks/", "runs/", "queue/", "workers/", "audit/", "tokens/", "trees/{}/tasks/", "trees/{}/runs/",
         "trees/{}/dependencies/")  # fmt: skip


@pytest.mark.parametrize("path", LISTS)
def test_lists_cost_the_same_for_many_rows(path):
    boss = make_user("boss", role="admin")

    def grow(count):
        for index in range(count):
            names = [f"t{i}" for i in range(index + 1)]
            tree = make_tree(task("root"), *(task(n, after=["root"]) for n in names), owner=boss)
            run_start(user=boss, tree_id=tree.pk)
        return tree

    def cost(tree):
        api = Api(boss)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert api.get(path.format(tree.pk)).status_code == 200
        return len(queries)

    assert cost(grow(1)) == cost(grow(5)) <= 8


def test_a_repeated_request_is_carried_out_once(api, tree):
    path = f"trees/{tree.pk}/runs/"
    first, second = (api.post(path, {"mode": "all"}, Idempotency_Key="k1") for _ in range(2))
    assert (first.status_code, second.status_code, first.json()) == (202, 202, second.json())
    assert second["Idempotent-Replayed"] == "true"
    assert Run.objects.count() == 1
    other = api.post(path, {"mode": "failed"}, Idempotency_Key="k1")
    assert (other.status_code, error_of(other)["code"]) == (409, "idempotency_conflict")
    carla = Api(make_user("carla")).post(path, {"mode": "all"}, Idempotency_Key="k1")
    assert error_of(carla)["code"] == "already_running"


def test_a_refused_request_frees_its_key(api, tree):
    run = run_start(user=tree.owner, tree_id=tree.pk)
    path = f"trees/{tree.pk}/runs/"
    assert api.post(path, {}, Idempotency_Key="k").status_code == 409
    api.post(f"runs/{run.pk}/cancel/")
    assert api.post(path, {}, Idempotency_Key="k").status_code == 202
    assert api.post(path, {}, Idempotency_Key="a b").status_code == 400


def test_a_secret_is_not_remembered(api):
    first, second = (api.post("tokens/", {"name": "x"}, Idempotency_Key="k") for _ in range(2))
    assert first.json()["secret"].startswith("apf_")
    assert second.json() == {**first.json(), "secret": ""}
    assert first.json()["secret"] not in str(list(IdempotencyKey.objects.values()))


def test_too_many_writing_requests(api, settings):
    settings.API_WRITES_PER_MINUTE = 2
    body = {"tasks": [{"name": "x"}]}
    assert [api.post("trees/", body).status_code for _ in range(3)] == [201, 201, 429]
    answer = api.post("trees/", body)
    assert error_of(answer)["code"] == "throttled"
    assert 0 < int(answer["Retry-After"]) <= 60
    assert api.get("trees/").status_code == 200
    assert Tree.objects.count() == 2


def test_the_longest_cursor_is_taken_back(api, ann):
    """Names of 255 characters that take 12 bytes each in JSON."""
    for index in range(3):
        make_tree(task("\U0001f600" * 254 + str(index), executor=""), owner=ann)
    first = api.get("trees/?ordering=name&page_size=1").json()
    second = api.get(first["next"])
    assert (second.status_code, len(second.json()["items"])) == (200, 1)


def test_what_a_preview_is_sent_is_checked_as_well(api, tree):
    path = f"tasks/{task_named(tree, 'load').pk}/copy/"
    bad = api.post(path, {"preview": True}, Idempotency_Key="a b")
    assert (bad.status_code, error_of(bad)["code"]) == (400, "invalid_header")


def test_a_stale_tree_is_a_conflict(api, tree):
    late = api.patch(f"trees/{tree.pk}/", {"labels": ["x"], "version": 99})
    assert (late.status_code, error_of(late)["code"]) == (409, "stale_version")


def test_a_dry_run_says_when_too_many_are_chosen(api, tree):
    chosen = ",".join([str(task_named(tree, "load").pk)] * 401)
    refused = api.get(f"trees/{tree.pk}/dry-run/?mode=only&chosen={chosen}")
    assert (refused.status_code, error_of(refused)["code"]) == (400, "too_many")
