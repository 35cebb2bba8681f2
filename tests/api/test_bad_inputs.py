"""Every entry of the catalogue of bad inputs, answered as it says, or as the table below says and why.

`to_request` alone knows how the catalogue's neutral shapes look in this API. Entries without a payload are scenarios.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestration.models import Tree
from tests.api import bad_input_scenarios as scenarios
from tests.api.conftest import Api
from tests.executors.test_bad_inputs import ENTRIES as GIVEN_TO_HTTP
from tests.factories import make_tree, make_user, task, task_named

pytestmark = pytest.mark.django_db

HERE = Path(__file__).parent
ENTRIES = json.loads((HERE / "bad_inputs.json").read_text())
HTTP, COMMAND, CHILD = "executors/test_http.py", "executors/test_builtins.py", "engine/test_children.py"
RESULT = "engine/test_children_results.py"
STREAM, SOCKET, RIGHTS = "stream/test_json_stream.py", "stream/test_bad_sockets.py", "stream/test_rights.py"
# Entries that reach no route of the API: the test that plays each. The others of the group "ssrf" are played literally
# by executors/test_bad_inputs.py. What differs: bad frames, binary ones too, are ignored and not answered (clients have
# nothing to say); a socket is for one run, so there is nothing to subscribe to; numbers come in the address; events
# go with their run, which is then not found.
ELSEWHERE = {
    "BI-133": f"{STREAM}::test_strangers_learn_nothing",  # accepted and closed with 4401, so that a browser is told
    "BI-139": f"{STREAM}::test_strangers_learn_nothing",
    "BI-140": f"{SOCKET}::test_an_expired_session_is_none",  # 4401
    "BI-142": f"{SOCKET}::test_what_clients_say_reaches_nobody",
    "BI-143": f"{SOCKET}::test_what_clients_say_reaches_nobody",
    "BI-144": f"{SOCKET}::test_what_clients_say_reaches_nobody",
    "BI-146": f"{SOCKET}::test_what_clients_say_reaches_nobody",
    "BI-147": f"{SOCKET}::test_one_person_has_only_so_many_sockets",
    "BI-149": f"{SOCKET}::test_what_is_no_number_of_an_event_is_told",  # 4400
    "BI-150": f"{STREAM}::test_an_unknown_run_and_a_bad_number_are_told",
    "BI-151": f"{RIGHTS}::test_sockets_end",
    "BI-152": f"{STREAM}::test_a_reader_that_does_not_read_is_given_up",
    "BI-171": f"{HTTP}::test_what_an_answer_must_not_do",
    "BI-172": f"{HTTP}::test_redirects_are_followed_and_secrets_stay_with_their_host",
    "BI-183": f"{HTTP}::test_what_an_answer_must_not_do",
    "BI-184": f"{HTTP}::test_the_deadline_is_for_the_whole_exchange",
    "BI-185": f"{HTTP}::test_what_an_answer_must_not_do",
    "BI-187": f"{HTTP}::test_proxies_of_the_environment_are_ignored",
    "BI-188": f"{COMMAND}::test_command_passes_arguments_literally",
    "BI-189": f"{COMMAND}::test_command_refuses_what_is_not_allowed",
    "BI-193": f"{COMMAND}::test_command_keeps_both_ends_of_a_long_output",
    "BI-194": f"{CHILD}::test_a_stubborn_attempt_and_its_detached_grandchild_are_killed",
    "BI-196": f"{COMMAND}::test_command_gets_standard_input_and_a_small_environment",
    "BI-202": f"{RESULT}::test_every_way_to_fail_fails_this_attempt_only",
    "BI-203": f"{RESULT}::test_every_way_to_fail_fails_this_attempt_only",
    "BI-205": f"{RESULT}::test_every_way_to_fail_fails_this_attempt_only",
    "BI-206": f"{RESULT}::test_every_way_to_complete",
    "BI-207": "security/test_canary.py::test_the_canary_is_nowhere_but_in_its_executor",
    "BI-208": f"{CHILD}::test_progress_is_thinned_out_and_the_last_one_kept",
}
AWAY = ("websocket", "ssrf", "executor")
HERE_TESTED = [entry for entry in ENTRIES if entry["group"] not in AWAY]
MOST = 10_000  # tasks in a tree
SLOW = {"BI-088", "BI-080", "BI-094"}  # 10,000 tasks: five seconds instead of two
DIFFERS: dict[str, tuple[int, str, str]] = {
    "BI-064": (201, "", "dependencies may fill inputs in: they are checked when an attempt starts"),
    "BI-066": (201, "", "patterns are matched by an engine with a bound, never by one that runs away"),
    "BI-067": (400, "invalid_schema", "our name for it"),
    "BI-083": (400, "unknown_reference", "our name for it, for parents and dependencies alike"),
    "BI-086": (400, "duplicate_id", "our name for it"),
    "BI-094": (400, "invalid_choice", "as for any other priority"),
    "BI-120": (400, "unknown_filter", "pages have cursors, not numbers"),
}


@dataclass
class Sent:
    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def to_request(target: str, body: Any, tree: Tree) -> Sent:
    """How *body*, in the catalogue's shape, is sent to *target*."""
    load = task_named(tree, "load").pk
    if target == "create_tree":
        return Sent("post", "trees/", tree_body(body))
    if target == "update_task":
        return Sent("patch", f"tasks/{load}/", body, {"If_Match": '"1"'})
    if target == "list":
        return Sent("get", f"trees/?{body['query']}" if body else "trees/")
    raise AssertionError(f"no request for {target}")


def tree_body(body: Any) -> Any:
    if isinstance(body, bytes | str):
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            return body
        return tree_body(parsed) if isinstance(parsed, dict) and len(parsed.get("tasks", "")) > 1000 else body
    if not body["tasks"]:
        return {"tasks": []}
    tasks = [task_body(given) for given in body["tasks"]]
    if len(tasks) < MOST:
        return {"tasks": [{"id": "the root", "name": body["name"]}, *tasks]}
    for item in tasks[1:]:  # no room for one more
        item["parent_id"] = tasks[0]["id"]
    del tasks[0]["parent_id"]
    return {"tasks": tasks}


def task_body(given: dict[str, Any]) -> dict[str, Any]:
    item = {k: v for k, v in given.items() if k not in ("key", "depends_on", "input_schema")}
    item |= {"id": given["key"], "parent_id": "the root"}
    if "input_schema" in given:
        item["schemas"] = {"input_schema": given["input_schema"]}
    if "depends_on" in given:
        edges = given["depends_on"]
        item["dependencies"] = [{"id": e["key"], "required": e.get("required", True)} for e in edges]
    return item


def content_of(entry: dict[str, Any]) -> Any:
    if "gen" in entry:
        return eval(entry["gen"], {"__builtins__": {"__import__": __import__, "range": range}})
    return entry["raw"] if "raw" in entry else entry.get("payload")


def expected(entry: dict[str, Any]) -> tuple[int, str]:
    if entry["id"] in DIFFERS:
        return DIFFERS[entry["id"]][:2]
    return entry["expect"]["status"], "" if entry["expect"]["code"] == "ok" else entry["expect"]["code"]


@pytest.fixture
def owned(ann):
    make_user("eve")
    return make_tree(task("Report", executor=""), task("load"), task("send", after=["load"]), owner=ann)


@pytest.mark.parametrize("entry", HERE_TESTED, ids=lambda e: e["id"])
def test_entry(entry, owned):
    api, before = Api(owned.owner), Tree.objects.count()
    scenario = getattr(scenarios, f"scenario_{entry['id'].replace('-', '_')}", None)
    if scenario is not None:
        scenario(api, owned)
    else:
        sent = to_request(entry["target"], content_of(entry), owned)
        headers = sent.headers | {k.replace("-", "_"): v for k, v in entry.get("headers", {}).items()}
        started = time.monotonic()
        answer = api.send(sent.method, sent.path, sent.body, **headers)
        took = time.monotonic() - started
        code = answer.json()["error"]["code"] if answer.status_code >= 400 else ""
        assert (answer.status_code, code) == expected(entry), answer.content[:300]
        assert took < (8 if entry["id"] in SLOW else 2)
        if answer.status_code >= 400:
            assert Tree.objects.count() == before
    assert api.get("trees/").status_code == 200
    assert api.get(f"trees/{owned.pk}/tasks/").status_code == 200


def test_other_entries_have_their_test():
    away = {entry["id"] for entry in ENTRIES if entry["group"] in AWAY}
    assert away == ELSEWHERE.keys() | {entry["id"] for entry in GIVEN_TO_HTTP}
    for place in ELSEWHERE.values():
        file, _, name = place.partition("::")
        assert re.search(rf"^(async )?def {name}\(", (HERE.parent / file).read_text(), re.MULTILINE), place


def test_every_difference_has_a_reason_and_an_entry():
    known = {entry["id"] for entry in ENTRIES}
    assert all(key in known and reason for key, (_, _, reason) in DIFFERS.items())
    assert [e["id"] for e in HERE_TESTED if not has_way(e)] == []


def has_way(entry):
    has_body = bool({"payload", "raw", "gen", "headers"} & set(entry))
    return has_body or hasattr(scenarios, f"scenario_{entry['id'].replace('-', '_')}")
