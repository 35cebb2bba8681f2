"""Executors that behave badly, for tests; a child process gets them by `preload=("tests.support_executors",)`."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time

from django.db import connection

from orchestration.executors import ExecutionContext, ExecutorError, executor


class Broken(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@executor(id="t_echo")
def echo(inputs, ctx: ExecutionContext):
    print("printed")
    ctx.log("logged")
    ctx.progress(0.5, "half")
    os.system("echo from a program")
    return {
        "inputs": inputs,
        "attempt": ctx.attempt,
        "key": os.environ["APFLOW_IDEMPOTENCY_KEY"],
        "same": os.environ["APFLOW_IDEMPOTENCY_KEY"] == ctx.idempotency_key,
        "dependencies": [d.name for d in ctx.dependencies],
        "pid": os.getpid(),
    }


@executor(id="t_async")
async def async_echo(value: int = 1):
    await asyncio.sleep(0.01)
    return {"value": value}


@executor(id="t_raise")
def raise_it(kind: str, inputs_text: str = "boom"):
    kinds = {
        "value": ValueError(inputs_text),
        "executor": ExecutorError(inputs_text, code="my_code", retryable=False),
        "exit": SystemExit(3),
        "interrupt": KeyboardInterrupt(),
        "generator": GeneratorExit(),
        "memory": MemoryError(),
        "broken": Broken(),
        "cancelled": asyncio.CancelledError(),
    }
    raise kinds[kind]


@executor(id="t_end")
def end(kind: str):
    if kind == "exit":
        os._exit(7)
    if kind == "exit_zero":
        os._exit(0)
    if kind == "segfault":
        ctypes.string_at(0)
    if kind == "kill_supervisor":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    if kind == "recursion":
        return recurse()
    return None


def recurse():
    return recurse() + 1


@executor(id="t_result")
def result(kind: str):
    circle: dict[str, object] = {}
    circle["self"] = circle
    values = {
        "big": lambda: "x" * 50_000_000,
        "nan": lambda: {"x": float("nan")},
        "circle": lambda: circle,
        "error": lambda: {"error": "it went wrong"},
        "surrogate": lambda: {"x": "\ud800"},
        "nul": lambda: {"x": "a\0b"},
        "nul_name": lambda: {"x": {"a\0b": 1}},
        "deep": lambda: nested(lambda inner: [inner]),
        "deep_names": lambda: nested(lambda inner: {"x": inner}),
        "object": lambda: {"x": object()},
        "million": lambda: "y" * (1024 * 1024 - 2),
        "none": lambda: None,
    }
    return values[kind]()


def nested(wrap):
    value: object = 0
    for _ in range(5000):
        value = wrap(value)
    return value


@executor(id="t_flood")
def flood():
    line = "z" * 9999 + "\n"
    for _ in range(5000):
        sys.stdout.write(line)
    print("the end")
    return {"written": 50_000_000}


@executor(id="t_progress")
def progress(ctx: ExecutionContext, count: int = 1):
    for number in range(count):
        ctx.progress((number + 1) / count, f"{number + 1}")
    return count


@executor(id="t_stubborn")
def stubborn(path: str):
    """Ignores SIGTERM, and so does a grandchild in its own session that no longer knows its parents."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    code = (
        "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork() and os._exit(0); "
        "os.setsid(); os.fork() and os._exit(0); open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(600)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)
    subprocess.Popen(["/bin/sleep", "600"])
    while not os.path.exists(path):
        time.sleep(0.01)
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n{os.getppid()}\n")
    time.sleep(600)


@executor(id="t_leaves")
def leaves(path: str):
    """Completes and leaves a program running."""
    left = subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
    with open(path, "a") as file:
        file.write(f"{left.pid}\n{os.getpid()}\n{os.getppid()}\n")
    return "done"


@executor(id="t_cooperative")
def cooperative(ctx: ExecutionContext, path: str):
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n{os.getppid()}\n")
    while not ctx.cancelled:
        time.sleep(0.01)
    with open(path + ".saw", "w") as file:
        file.write("cancelled")


@executor(id="t_async_cancel")
async def async_cancel(ctx: ExecutionContext, path: str):
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n{os.getppid()}\n")
    try:
        await asyncio.sleep(600)
    finally:
        with open(path + ".saw", "w") as file:
            file.write(f"cancelled {ctx.cancelled}")


@executor(id="t_database")
def database():
    return {"open": connection.connection is not None}
