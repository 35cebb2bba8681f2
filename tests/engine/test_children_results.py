"""What an attempt in a child process may return, raise or write, and what becomes of it."""

from __future__ import annotations

import resource

import pytest

from orchestration.domain.work import Ending
from tests.engine.children import ignore, work_of

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def outcomes(shared):
    works = {
        "async": work_of("t_async", value=5),
        "none": work_of("t_result", kind="none"),
        "million": work_of("t_result", kind="million"),
        "flood": work_of("t_flood"),
        "database": work_of("t_database"),
        "value": work_of("t_raise", kind="value"),
        "broken": work_of("t_raise", kind="broken"),
        "executor": work_of("t_raise", kind="executor"),
        "exit": work_of("t_raise", kind="exit"),
        "interrupt": work_of("t_raise", kind="interrupt"),
        "generator": work_of("t_raise", kind="generator"),
        "memory": work_of("t_raise", kind="memory"),
        "cancelled": work_of("t_raise", kind="cancelled"),
        "recursion": work_of("t_end", kind="recursion"),
        "os_exit": work_of("t_end", kind="exit"),
        "exit_zero": work_of("t_end", kind="exit_zero"),
        "segfault": work_of("t_end", kind="segfault"),
        "supervisor": work_of("t_end", kind="kill_supervisor"),
        "big": work_of("t_result", kind="big"),
        "nan": work_of("t_result", kind="nan"),
        "circle": work_of("t_result", kind="circle"),
        "surrogate": work_of("t_result", kind="surrogate"),
        "object": work_of("t_result", kind="object"),
        "nul": work_of("t_result", kind="nul"),
        "nul_name": work_of("t_result", kind="nul_name"),
        "nul_text": work_of("t_raise", kind="value", inputs_text="a\0b"),
        "deep": work_of("t_result", kind="deep"),
        "deep_names": work_of("t_result", kind="deep_names"),
        "error": work_of("t_result", kind="error"),
        "unknown": work_of("t_eco"),
        "missing": work_of("t_raise"),
        "last": work_of("t_async", value=6),
    }
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {name: shared(lambda runner, work=work: runner.run(work, ignore)) for name, work in works.items()}
    found["grown_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    return found


def test_every_way_to_complete(outcomes):
    assert outcomes["async"].result == '{"value":5}'
    assert outcomes["none"].result == "null"
    assert len(outcomes["million"].result) == 1 << 20
    assert outcomes["database"].result == '{"open":false}'


def test_fifty_megabytes_of_output_are_bounded(outcomes):
    outcome = outcomes["flood"]
    assert outcome.result == '{"written":50000000}'
    assert outcome.log.endswith("the end\n")
    assert "bytes before this were dropped" in outcome.log[:80]
    assert len(outcome.log) < (1 << 18) + 100
    assert outcomes["grown_kib"] < 20 * 1024


@pytest.mark.parametrize(
    ("name", "error", "code", "retryable"),
    [
        ("value", "ValueError: boom", "executor_error", True),
        ("broken", "Broken", "executor_error", True),
        ("executor", "boom", "my_code", False),
        ("exit", "SystemExit: 3", "executor_error", True),
        ("interrupt", "KeyboardInterrupt", "executor_error", True),
        ("generator", "GeneratorExit", "executor_error", True),
        ("memory", "MemoryError", "executor_error", True),
        ("cancelled", "CancelledError", "executor_error", True),
        ("recursion", "RecursionError", "executor_error", True),
        ("os_exit", "executor process ended without a result (exit code 7)", "worker_lost", True),
        ("exit_zero", "executor process ended without a result (exit code 0)", "worker_lost", True),
        ("segfault", "executor process ended without a result (signal SIGSEGV)", "worker_lost", True),
        ("supervisor", "executor process ended without a result", "worker_lost", True),
        ("big", "result larger than 1 MiB", "result_too_large", False),
        ("nan", "result is not JSON: $.x: nan", "result_not_json", False),
        ("circle", "contains itself", "result_not_json", False),
        ("surrogate", "surrogate", "result_not_json", False),
        ("object", "object is not a JSON type", "result_not_json", False),
        ("nul", "$.x: null characters are not allowed", "result_not_json", False),
        ("nul_name", "null characters are not allowed", "result_not_json", False),
        ("nul_text", "ValueError: a\ufffdb", "executor_error", True),
        ("deep", "nested deeper than 64 levels", "result_not_json", False),
        ("deep_names", "nested deeper than 64 levels", "result_not_json", False),
        ("error", "it went wrong", "executor_error", True),
        ("unknown", "did you mean 't_echo'", "unknown_executor", False),
        ("missing", "input 'kind' is missing", "invalid_inputs", False),
    ],
)
def test_every_way_to_fail_fails_this_attempt_only(outcomes, name, error, code, retryable):
    outcome = outcomes[name]
    assert outcome.ending is Ending.FAILED
    assert error in outcome.error
    assert (outcome.error_code, outcome.retryable) == (code, retryable)
    assert outcomes["last"].result == '{"value":6}'


def test_a_traceback_is_kept_for_exceptions_and_not_for_chosen_errors(outcomes):
    assert "raise kinds[kind]" in outcomes["value"].traceback
    assert outcomes["executor"].traceback == ""
    assert len(outcomes["recursion"].traceback) <= 32 * 1024
