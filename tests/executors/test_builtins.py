"""The built-in executors, except `http`."""

import asyncio
import sys
import time

import pytest
from django.core import mail

from orchestration.domain.work import DependencyResult, Ending, Work
from orchestration.executors import ExecutionContext, ExecutorError, registry
from orchestration.executors.call import run_async
from orchestration.executors.outcomes import Crash, outcome_of_exception, outcome_of_result


def context(inputs, **more):
    return ExecutionContext(inputs=inputs, params={}, **more)


def run(executor_id, inputs=None, **more):
    return asyncio.run(run_async(registry.get(executor_id), context(inputs or {}, **more)))


def refused(executor_id, inputs, **more):
    with pytest.raises(ExecutorError) as caught:
        run(executor_id, inputs, **more)
    return caught.value


def test_noop():
    assert run("noop", {"a": 1}) == {"ok": True}


@pytest.mark.parametrize("resource", ["cpu", "memory", "disk"])
def test_system_info_of_one_resource(resource):
    found = run("system_info_executor", {"resource": resource})
    assert set(found) == {"resource", "host", resource}
    assert 0 <= found[resource]["percent"] <= 100


def test_system_info_of_all():
    found = run("system_info")
    assert set(found) == {"resource", "host", "cpu", "memory", "disk"}
    assert found["cpu"]["count"] >= 1
    assert found["memory"]["total_bytes"] > found["memory"]["available_bytes"] > 0
    assert refused("system_info", {"resource": "gpu"}).code == "invalid_inputs"


def test_aggregate_results_counts_dependencies_and_names_the_failed():
    dependencies = [
        DependencyResult("1", "first", True, "completed", {"a": 1}),
        DependencyResult("2", "second", False, "failed", None, "boom"),
        DependencyResult("3", "third", False, "completed", None),
    ]
    found = run("aggregate_results_executor", {"x": {"not": "counted"}}, dependencies=dependencies)
    assert found["results"] == {"1": {"a": 1}, "3": None}
    assert found["names"] == {"1": "first", "2": "second", "3": "third"}
    assert (found["result_count"], found["failed"], found["summary"]) == (2, ["2"], "2 of 3 results")
    assert found["timestamp"].endswith("+00:00")


def test_simulate_reports_progress_and_returns_what_it_is_told():
    seen = []
    found = run("simulate", {"duration_s": 0.02, "steps": 4, "result": [1]}, report_progress=lambda *r: seen.append(r))
    assert found == [1]
    assert seen == [(n / 4, f"step {n} of 4") for n in (1, 2, 3, 4)]
    assert run("simulate", {"duration_s": 0})["simulated"] is True


def test_simulate_fails_as_told():
    assert str(refused("simulate", {"duration_s": 0, "fail": "oh no", "error_code": "mine"})) == "oh no"
    first = refused("simulate", {"duration_s": 0, "fail_attempts": 2}, attempt=2)
    assert (first.code, first.retryable) == ("simulated_failure", True)
    assert run("simulate", {"duration_s": 0, "fail_attempts": 2}, attempt=3)["attempt"] == 3
    assert refused("simulate", {"duration_s": float("nan")}).code == "invalid_inputs"
    assert refused("simulate", {"duration_s": 3601}).retryable is False


def test_simulate_can_be_cancelled():
    async def go():
        task = asyncio.create_task(run_async(registry.get("simulate"), context({"duration_s": 60})))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    started = time.monotonic()
    asyncio.run(go())
    assert time.monotonic() - started < 5


# --- send_email ----------------------------------------------------------------------------------------------------


def test_send_email_sends_one_message():
    inputs = {
        "to": "a@x.test",
        "cc": ["b@x.test"],
        "subject": "Hi",
        "body": "text",
        "html": "<p>t</p>",
        "reply_to": "r@x.test",
    }
    found = run("send_email_executor", inputs, idempotency_key="1:a")
    assert found == {"success": True, "recipients": 2, "to": ["a@x.test"], "subject": "Hi"}
    message = mail.outbox[0]
    assert (message.to, message.cc, message.reply_to) == (["a@x.test"], ["b@x.test"], ["r@x.test"])
    assert message.extra_headers == {"X-Idempotency-Key": "1:a"}
    assert message.alternatives[0][0] == "<p>t</p>"


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "to: give at least one address"),
        ({"to": []}, "to: give at least one address"),
        ({"to": "nobody"}, "to: 'nobody' is not an e-mail address"),
        ({"to": 5}, "to: give an address"),
        ({"to": ["a@x.test", 5]}, "to: give an address"),
        ({"to": "a@x.test\nBcc: b@x.test"}, "to: line breaks are not allowed"),
        ({"to": "a@x.test", "subject": "x\r\nBcc: b@x.test"}, "subject: line breaks are not allowed"),
        ({"to": "a@x.test", "bcc": ["b@x.test"] * 100}, "at most 100 addresses"),
    ],
)
def test_send_email_refuses_bad_addresses_and_headers(inputs, words):
    error = refused("send_email", inputs)
    assert words in str(error)
    assert (error.code, error.retryable) == ("invalid_inputs", False)
    assert mail.outbox == []


# --- command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def allowed(settings):
    settings.ORCHESTRATION = settings.ORCHESTRATION | {
        "command_enabled": True,
        "command_allow": ["/bin/echo", "/bin/cat", "/bin/false", "/usr/bin/env", sys.executable, "/no/such/program"],
    }


def test_command_is_off_until_it_is_switched_on():
    error = refused("command_executor", {"argv": ["/bin/echo"]})
    assert error.code == "command_disabled"
    assert "APFLOW_COMMAND_ENABLED" in str(error)


@pytest.mark.usefixtures("allowed")
def test_command_passes_arguments_literally():
    found = run("command", {"argv": ["/bin/echo", "; rm -rf x", "$(id)", "`id`", "a\nb"]})
    assert found["stdout"] == "; rm -rf x $(id) `id` a\nb\n"
    assert (found["success"], found["return_code"], found["truncated"]) == (True, 0, False)
    assert run("command", {"command": ["/bin/echo", "x"]})["stdout"] == "x\n"


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"argv": ["./echo"]}, "command_not_allowed"),
        ({"argv": ["echo"]}, "command_not_allowed"),
        ({"argv": ["/bin/sh", "-c", "id"]}, "command_not_allowed"),
        ({"argv": ["/bin/../bin/echo"]}, "command_not_allowed"),
        ({"argv": "/bin/echo hello"}, "invalid_inputs"),
        ({"argv": []}, "invalid_inputs"),
        ({"argv": ["/bin/echo", 5]}, "invalid_inputs"),
        ({"argv": ["/bin/echo", "a\0b"]}, "invalid_inputs"),
        ({"argv": ["/bin/echo"], "env": {"A=B": "c"}}, "invalid_inputs"),
        ({"argv": ["/no/such/program"]}, "command_failed"),
        ({"argv": ["/bin/echo"], "cwd": "/no/such/folder"}, "command_failed"),
        ({"argv": ["/bin/false"]}, "command_failed"),
    ],
)
@pytest.mark.usefixtures("allowed")
def test_command_refuses_what_is_not_allowed(inputs, code):
    assert refused("command", inputs).code == code


@pytest.mark.usefixtures("allowed")
def test_command_gets_standard_input_and_a_small_environment(monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "canary")
    monkeypatch.setenv("APFLOW_IDEMPOTENCY_KEY", "1:a")  # as the process of an attempt has it
    assert run("command", {"argv": ["/bin/cat"]})["stdout"] == ""
    assert run("command", {"argv": ["/bin/cat"], "stdin": "é"})["stdout"] == "é"
    found = run("command", {"argv": ["/usr/bin/env"], "env": {"MINE": "1"}})["stdout"]
    assert "MINE=1" in found
    assert "APFLOW_IDEMPOTENCY_KEY=1:a" in found
    assert "canary" not in found


@pytest.mark.usefixtures("allowed")
def test_command_completes_on_errors_if_wished():
    found = run("command", {"argv": ["/bin/false"], "allow_errors": True})
    assert (found["success"], found["return_code"]) == (False, 1)


@pytest.mark.usefixtures("allowed")
def test_command_keeps_both_ends_of_a_long_output():
    code = "import sys\nsys.stdout.write('first ')\nfor _ in range(5000): sys.stdout.write('x' * 10000)\nprint(' last')"
    found = run("command", {"argv": [sys.executable, "-c", code]})
    assert found["truncated"] is True
    assert found["stdout"].startswith("first xxx")
    assert found["stdout"].endswith("xxx last\n")
    assert 2**20 < len(found["stdout"]) < 2**20 + 100
    assert f"{5000 * 10000 + 12 - 2**20} bytes left out" in found["stdout"]


@pytest.mark.parametrize(
    ("limit", "code", "words"),
    [
        ({"command_cpu_s": 1}, "while True: pass", "took more than 1 s of the processor (APFLOW_COMMAND_CPU_S)"),
        ({"command_memory_mb": 200}, "bytearray(300 * 2**20)", "MemoryError"),
        ({"command_files": 20}, "kept = [open('/dev/null') for _ in range(30)]", "Too many open files"),
    ],
)
@pytest.mark.usefixtures("allowed")
def test_command_is_held_to_its_limits(settings, limit, code, words):
    settings.ORCHESTRATION = settings.ORCHESTRATION | limit
    assert words in str(refused("command", {"argv": [sys.executable, "-c", code]}))


@pytest.mark.usefixtures("allowed")
def test_command_limits_hold_for_what_it_starts_and_can_be_switched_off(settings):
    ask = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {ask!r}])"
    settings.ORCHESTRATION = settings.ORCHESTRATION | {"command_files": 77}
    assert run("command", {"argv": [sys.executable, "-c", inner]})["stdout"] == "77\n"
    none = dict.fromkeys(("command_cpu_s", "command_memory_mb", "command_files", "command_processes"), 0)
    settings.ORCHESTRATION = settings.ORCHESTRATION | none
    assert run("command", {"argv": [sys.executable, "-c", inner]})["stdout"] != "77\n"


# --- outcomes ------------------------------------------------------------------------------------------------------

WORK = Work(1, "a" * 32, 1, 1, "n", "x", {}, {})


def test_a_result_becomes_an_outcome():
    outcome = outcome_of_result(WORK, {"a": (1, "é")}, "log")
    assert (outcome.ending, outcome.result, outcome.log) == (Ending.COMPLETED, '{"a":[1,"é"]}', "log")
    assert outcome_of_result(WORK, {"error": ""}).ending is Ending.COMPLETED
    assert outcome_of_result(WORK, {"error": {"no": 1}}).error == '{"no":1}'
    assert outcome_of_result(WORK, "x" * 20, max_bytes=10).error_code == "result_too_large"


def test_an_error_text_is_made_storable():
    outcome = outcome_of_exception(WORK, ValueError("a\0b\ud800" + "x" * 100_000))
    assert outcome.error.startswith("ValueError: a\ufffdb\ufffdxxx")
    assert len(outcome.error) <= 8192
    (outcome.error + outcome.traceback).encode()


def test_what_would_end_the_loop_becomes_an_ordinary_error():
    class Bad:
        def __init__(self, error):
            self.error = error

        async def run(self, ctx):
            raise self.error

    async def go():
        found = []
        for error in (SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()):
            task = asyncio.ensure_future(run_async(Bad(error), context({})))
            with pytest.raises(Crash) as caught:
                await task
            found.append(outcome_of_exception(WORK, caught.value).error)
        return found

    assert asyncio.run(go()) == ["SystemExit: 3", "KeyboardInterrupt", "GeneratorExit", "CancelledError"]
