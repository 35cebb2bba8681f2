"""What schemathesis can't know of this API: trees whose tasks fit together, and what each role may get.

Loaded by its process, see schemathesis.toml. APFLOW_FUZZ_ROLE says who asks.
"""

from __future__ import annotations

import json
import os
import time
from urllib.parse import urlencode

import httpx
import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import CoveragePhaseData, CoverageScenario, TestPhase

ROLE = os.environ["APFLOW_FUZZ_ROLE"]
EXECUTORS = ("simulate", "noop", "simulate")
SAFE = ("GET", "HEAD", "OPTIONS")
VIEWER_WRITES = {
    "/api/v1/filters/",
    "/api/v1/filters/{filter_id}/",
    "/api/v1/me/",
    "/api/v1/tokens/",
    "/api/v1/tokens/{token_id}/",
    "/api/v1/trees/bulk/",  # an outcome per tree
}
END_S = 2.0
tried: set[tuple[object, ...]] = set()
MAX_ADDRESS = 15_000
ONCE = {CoverageScenario.OBJECT_UNEXPECTED_PROPERTIES, CoverageScenario.MALFORMED_CONTENT_TYPE}
SEVERAL = "All required and "
PAGING = ("cursor", "fields", "page_size")


def sensible(body):
    """*body* with tasks that refer to each other as they should; what else was generated stays."""
    tasks = [dict(found) for found in body["tasks"] if isinstance(found, dict)] or [{}]
    for number, task in enumerate(tasks):
        for name in ("parent_id", "schemas", "params", "inputs", "backoff", "timeout_s", "dependencies"):
            task.pop(name, None)
        for name in ("priority", "max_attempts"):  # 1.0 is an integer to JSON Schema, but not here
            if name in task:
                task[name] = int(task[name])
        task |= {"id": f"t{number}", "name": readable(str(task.get("name")), number)}
        task["executor"] = EXECUTORS[(number + len(task["name"])) % 3] if number or len(tasks) == 1 else ""
        if task["executor"] == "simulate":
            task["inputs"] = {"duration_s": 30}
        if number:
            task["parent_id"] = "t0"
        if number > 1:
            task["dependencies"] = [{"id": f"t{number - 1}", "required": number % 2 == 0}]
    labels = [readable(str(label), number)[:50] for number, label in enumerate(body.get("labels") or [])]
    return {"tasks": tasks, "labels": labels[:20]}


def readable(text, number):
    """*text* without what a name may not hold, and never blank."""
    return f"{number} " + "".join(letter for letter in text if letter.isprintable())[:100]


@schemathesis.hook
def map_case(context, case):
    """Valid requests that can also be carried out: half of those of the fuzzing phase, all that follow links."""
    phase = case.meta.phase.name if case.meta is not None else None
    if phase not in (TestPhase.FUZZING, TestPhase.STATEFUL) or case.meta.generation.mode.is_negative:
        return case
    if phase == TestPhase.FUZZING and len(str(case.body) + str(case.query)) % 2:
        return case
    for name in ("cursor", "fields"):  # come from earlier answers
        case.query.pop(name, None)
    if isinstance(case.body, dict):
        case.body = BODIES.get((case.method, case.path), dict)(case.body)
    return case


def reasonable(body):
    return {**body, "reason": readable(str(body.get("reason", "")), 0)}


def everything(_):
    return {"mode": "all"}


BODIES = {
    ("POST", "/api/v1/trees/"): sensible,
    ("POST", "/api/v1/trees/import/"): lambda _: {"text": json.dumps(sensible({"tasks": [{}, {}]})["tasks"])},
    ("POST", "/api/v1/trees/{tree_id}/runs/"): everything,
    ("POST", "/api/v1/runs/{run_id}/retry/"): everything,
    ("POST", "/api/v1/runs/{run_id}/cancel/"): reasonable,
    ("PATCH", "/api/v1/tasks/{task_id}/"): lambda body: {"priority": body.get("priority", 2), "version": 1},
}


@schemathesis.hook
def filter_case(context, case):
    """Addresses over 16 KiB don't reach the application: the HTTP library closes the connection, and tells nothing. And
    of what the phase "coverage" makes again and again one is enough: it is two thirds of its requests.
    """
    return len(urlencode(case.query or {}, doseq=True)) < MAX_ADDRESS and not more_of_the_same(case)


def more_of_the_same(case):
    """Whether what it tries has been tried before, on the same code."""
    told = case.meta.phase.data if case.meta is not None else None
    what = tries(case, told) if isinstance(told, CoveragePhaseData) else None
    if what is None:
        return False
    if what in tried:
        return True
    tried.add(what)
    return False


def tries(case, told):
    """What is tried, the same for all cases that one function reads and answers alike. None: nobody knows."""
    where = (told.scenario, told.parameter_location, told.parameter)
    if told.scenario == CoverageScenario.INCORRECT_TYPE:  # of five wrong types the first, on every operation
        return (case.operation.label, *where, told.location)
    if told.scenario in ONCE:
        return where if told.parameter_location == ParameterLocation.HEADER else (case.operation.label, *where)
    if told.scenario == CoverageScenario.OBJECT_REQUIRED_AND_OPTIONAL and told.description.startswith(SEVERAL):
        return (case.operation.label, *where)  # the first has the most of them
    values = {ParameterLocation.QUERY: case.query, ParameterLocation.HEADER: case.headers}.get(told.parameter_location)
    if told.parameter and values and (case.meta.generation.mode.is_negative or told.parameter in PAGING):
        return (*where, repr(values.get(told.parameter)))  # many operations share that parameter
    return None


@schemathesis.hook
def before_call(context, case, kwargs):
    """A run is cancelled for good when its tasks have stopped; only then it can be re-executed."""
    stateful = case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL
    if ROLE != "operator" or not stateful or case.path != "/api/v1/runs/{run_id}/retry/":
        return
    address = f"{case.operation.base_url}{case.formatted_path.removesuffix('retry/')}"
    deadline = time.monotonic() + END_S
    while time.monotonic() < deadline:
        answer = httpx.get(address, headers=dict(kwargs.get("headers") or case.headers or {}))
        if answer.status_code != 200 or answer.json()["status"] != "in_progress":
            return
        time.sleep(0.02)


@schemathesis.check
def nothing_beyond_the_role(ctx, response, case):
    """Strangers are refused always, viewers change nothing but what is their own: tokens, filters, time zone."""
    done = response.status_code < 300
    if ROLE == "stranger" and done:
        raise Failure(operation=case.operation.label, title="A stranger got an answer", message=response.text[:300])
    if ROLE == "viewer" and done and case.method not in SAFE and case.path not in VIEWER_WRITES:
        raise Failure(operation=case.operation.label, title="A viewer changed something", message=response.text[:300])
