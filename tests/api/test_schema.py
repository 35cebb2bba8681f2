"""The description of the API is complete, correct and can be read without the network."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from jsonschema import Draft202012Validator

from orchestration.api.schema import LINKS
from tests.api.conftest import Api
from tests.factories import make_user, task_named

pytestmark = pytest.mark.django_db


@pytest.fixture
def schema(api):
    answer = api.get("schema/")
    assert answer.status_code == 200
    return answer.json()


def operations(schema):
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_it_is_openapi_3_1(schema):
    assert schema["openapi"] == "3.1.0"
    ids = [operation["operationId"] for _, _, operation in operations(schema)]
    assert len(ids) == len(set(ids)) > 40


def test_every_operation_tells_its_errors(schema):
    for path, method, operation in operations(schema):
        if path.endswith("/schema/"):
            continue
        needed = {"400", "401", "403", "404", "429", "500"}
        if method in ("post", "patch"):
            needed |= {"409", "413", "415"}
        assert needed <= operation["responses"].keys(), (method, path)
        assert operation["summary"]
        errors = [r for code, r in operation["responses"].items() if code >= "400"]
        shapes = {e["content"]["application/json"]["schema"]["$ref"] for e in errors}
        assert shapes == {"#/components/schemas/ErrorShape"}


def test_links_lead_from_create_to_reexecute(schema):
    by_id = {o["operationId"]: (p, o) for p, _, o in operations(schema)}
    for source, links in LINKS.items():
        for link in links:
            told = by_id[source][1]["responses"][link.status]["links"][link.name]
            assert (told["operationId"], told["parameters"]) == (link.target, link.parameters)
            assert all(f"{{{parameter}}}" in by_id[link.target][0] for parameter in link.parameters)
    chain = ["tree_create", "run_start", "run_cancel", "run_retry"]
    assert all(b in {link.target for link in LINKS[a]} for a, b in pairwise(chain))


def test_examples_are_accepted(api, schema, tree):
    load = str(task_named(tree, "load").pk)
    for path, method, operation in operations(schema):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in content.get("examples", {}).values():
            body = example["value"]
            if operation["operationId"] == "task_update":
                body = {**body, "version": 1}
            if operation["operationId"] in ("run_cancel", "run_retry"):
                continue  # the guide does them
            filled = path.replace("{tree_id}", str(tree.pk)).replace("{task_id}", load).replace("{name}", "mail")
            api.post(f"runs/{tree.runs.last().pk}/cancel/") if tree.runs.exists() else None
            answer = api.send(method, filled, body)
            assert answer.status_code < 300, (path, answer.content)


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("tree_list", "trees/"),
        ("tree_get", "trees/{tree}/"),
        ("task_list", "tasks/"),
        ("task_get", "tasks/{task}/"),
        ("run_list", "runs/"),
        ("run_get", "runs/{run}/"),
        ("event_list", "runs/{run}/events/"),
        ("executor_list", "executors/"),
        ("tree_dependency_list", "trees/{tree}/dependencies/"),
        ("audit_list", "audit/"),
        ("me", "me/"),
        ("tree_dry_run", "trees/{tree}/dry-run/"),
        ("run_explain", "runs/{run}/explain/"),
    ],
)
def test_answers_are_as_described(api, schema, tree, operation, path):
    boss = Api(make_user("ann", role="admin"))
    run = boss.post(f"trees/{tree.pk}/runs/").json()["id"]
    answer = boss.get(path.format(tree=tree.pk, run=run, task=task_named(tree, "load").pk))
    found = next(o for _, _, o in operations(schema) if o["operationId"] == operation)
    described = found["responses"]["200"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**described, "components": schema["components"]})
    assert [e.message for e in validator.iter_errors(answer.json())] == []


def test_the_page_needs_nothing_from_elsewhere(api):
    page = api.client.get("/api/docs/")
    text = page.content.decode()
    assert page.status_code == 200
    addresses = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert addresses
    assert all(re.match(r"/(?!/)|data:", a) for a in addresses), addresses
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert "unsafe" not in page["Content-Security-Policy"]
    script = next(a for a in re.findall(r'src="([^"]+)"', text) if a.startswith("/api/"))
    code = api.client.get(script.replace("&amp;", "&"))
    assert code.status_code == 200
    assert "/api/v1/schema/" in code.content.decode()
    assert "javascript" in code["Content-Type"]
    for address in (a for a in addresses if a.startswith("/static/")):
        assert api.client.get(address).status_code == 200, address


def test_strangers_see_no_description(db):
    assert Api().get("schema/").status_code == 401
    assert Api().client.get("/api/docs/").status_code == 302
