"""The decorator: arguments from inputs, schemas from hints, clear refusals."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest

from orchestration.executors import ExecutionContext, Executor, ExecutorError, UnknownExecutor, executor, registry
from orchestration.executors.builtin import BUILTINS


@pytest.fixture(autouse=True)
def _forget_executors():
    before = {found.id for found in registry.all_executors()}
    yield
    for found in registry.all_executors():
        if found.id not in before:
            registry.unregister(found.id)


def run(executor_id, **inputs):
    return registry.get(executor_id).run(ExecutionContext(inputs=inputs, params={}, attempt=3))


def test_a_function_gets_the_whole_inputs_or_the_context_or_both():
    executor(id="a")(lambda inputs: ["a", inputs])
    executor(id="b")(lambda inputs, ctx: ["b", inputs, ctx.attempt])
    executor(id="c")(lambda ctx: ["c", ctx.inputs])
    executor(id="d")(lambda: "d")
    assert [run(name, x=1) for name in "abcd"] == [["a", {"x": 1}], ["b", {"x": 1}, 3], ["c", {"x": 1}], "d"]
    assert registry.get("a").input_schema == {"type": "object"}


def test_named_parameters_are_filled_from_the_inputs():
    @executor
    def add(first: int, second: int = 2, *, context: ExecutionContext) -> int:
        """Adds two numbers.

        Not shown.
        """
        return first + second + context.attempt

    found = registry.get("add")
    assert run("add", first=1) == 6
    assert run("add", first=1, second=5, more="ignored") == 9
    assert add(1, context=ExecutionContext({}, {})) == 4
    assert (found.name, found.description) == ("Add", "Adds two numbers.")
    assert (found.isolated, found.merges_results, found.cancelable) == (True, True, True)
    with pytest.raises(ExecutorError, match="input 'first' is missing") as caught:
        run("add")
    assert (caught.value.code, caught.value.retryable) == ("invalid_inputs", False)


def test_the_rest_of_the_inputs_goes_to_keyword_arguments():
    executor(id="rest")(lambda a, **rest: [a, rest])
    assert run("rest", a=1, b=2) == [1, {"b": 2}]


def test_schemas_follow_from_hints():
    @executor
    def typed(
        a: str,
        b: float,
        c: list[int],
        d: dict[str, bool],
        e: Literal["x", "y"],
        f: int | None = None,
        g: list[str] | str = "z",
        h=True,
    ) -> dict[str, int]:
        return {}

    found = registry.get("typed")
    properties = {
        name: {k: v for k, v in p.items() if k != "title"} for name, p in found.input_schema["properties"].items()
    }
    assert properties == {
        "a": {"type": "string"},
        "b": {"type": "number"},
        "c": {"type": "array", "items": {"type": "integer"}},
        "d": {"type": "object", "additionalProperties": {"type": "boolean"}},
        "e": {"enum": ["x", "y"]},
        "f": {"type": ["integer", "null"]},
        "g": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}], "default": "z"},
        "h": {"default": True},
    }
    assert found.input_schema["required"] == ["a", "b", "c", "d", "e"]
    assert found.output_schema == {"type": "object", "additionalProperties": {"type": "integer"}}


def test_given_options_win_over_derived_ones():
    schema = {"type": "object", "required": ["q"]}
    executor(id="opt", name="N", description="D", input_schema=schema, cancelable=False, aliases=("other",))(
        lambda q: q
    )
    found = registry.get("other")
    assert (found.id, found.name, found.description, found.cancelable) == ("opt", "N", "D", False)
    assert found.input_schema == schema


def test_an_async_function_is_awaited_by_whoever_runs_it():
    @executor
    async def later(x: int):
        return x + 1

    assert asyncio.run(run("later", x=1)) == 2


def test_a_class_with_execute_or_run():
    @executor
    class Greet:
        id = "greet"
        name = "Greeting"
        description = "Greets."
        input_schema = {"type": "object", "required": ["who"]}
        output_schema = {"type": "string"}
        cancelable = False

        async def execute(self, inputs):
            return f"hello {inputs['who']}"

    @executor(id="ctx_class")
    class WithContext:
        def run(self, ctx):
            return ctx.attempt

    @executor
    class Own(Executor):
        id = "own"
        name = "Own"

        def run(self, ctx):
            return "own"

    greet = registry.get("greet")
    assert asyncio.run(run("greet", who="you")) == "hello you"
    assert (greet.name, greet.cancelable, greet.input_schema["required"]) == ("Greeting", False, ["who"])
    assert (run("ctx_class"), run("own"), Greet.id) == (3, "own", "greet")


def test_bad_declarations_are_refused_at_once():
    executor(id="taken")(lambda: 1)
    with pytest.raises(ValueError, match="'taken' is registered already"):
        executor(id="taken")(lambda: 2)
    with pytest.raises(ValueError, match="'http_executor' is registered already"):
        executor(id="fresh", aliases=("http_executor",))(lambda: 2)
    with pytest.raises(TypeError, match="no option"):
        executor(identity="x")
    with pytest.raises(TypeError, match="needs a method"):
        executor(type("Empty", (), {}))
    with pytest.raises(TypeError, match="functions and classes"):
        executor(5)
    with pytest.raises(ValueError, match="positional-only"):
        executor(id="p")(eval("lambda a, /: a"))
    assert run("taken") == 1


def test_unknown_names_get_a_hint():
    with pytest.raises(UnknownExecutor, match="did you mean 'http'"):
        registry.get("htp")
    with pytest.raises(UnknownExecutor, match=r"there are aggregate_results, .*command"):
        registry.get("zzzzzz")
    assert registry.find("zzzzzz") is None
    assert registry.canonical_id("rest_executor") == "http"


def test_the_built_ins_are_there():
    found = {item.id: (item.isolated, item.cancelable, item.merges_results) for item in BUILTINS}
    assert found == {
        "aggregate_results": (False, True, False),
        "command": (True, True, False),
        "http": (False, True, False),
        "noop": (False, True, False),
        "send_email": (True, False, False),
        "simulate": (False, True, False),
        "system_info": (False, True, False),
    }
    for name in ("system_info", "http", "command", "aggregate_results", "send_email"):
        assert registry.canonical_id(f"{name}_executor") == name
