"""`command`: starts one allowed program, without a shell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import IO, Any

from orchestration.conf import MIB, conf
from orchestration.domain.json_gate import safe_text
from orchestration.executors.base import ExecutionContext, Executor, ExecutorError

KEEP = 512 * 1024  # bytes kept of the beginning, and as many of the end, of each stream
CHUNK = 64 * 1024
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "APFLOW_IDEMPOTENCY_KEY")
CONFINE = Path(__file__).with_name("confine.py")
CANNOT_START = 126  # of confine.py
CONFINES = os.name == "posix"  # Windows knows no such limits
OFF = (
    "commands are switched off: the administrator can allow them with APFLOW_COMMAND_ENABLED=1 and list programs in "
    "APFLOW_COMMAND_ALLOW"
)


class Command(Executor):
    id = "command"
    name = "Command"
    description = (
        "Runs one program with a list of arguments, never through a shell. Off until the administrator allows it; "
        "only programs on the allow-list can be started."
    )
    aliases = ("command_executor",)
    permission = "use_shell"
    input_schema = {
        "type": "object",
        "properties": {
            "argv": {
                "type": "array",
                "title": "Program and arguments",
                "description": "The absolute path of an allowed program, then one item per argument.",
                "items": {"type": "string"},
                "minItems": 1,
                "maxItems": 1000,
            },
            "command": {"type": "array", "title": "Other name of argv", "items": {"type": "string"}, "minItems": 1},
            "cwd": {"type": "string", "title": "Working directory", "default": ""},
            "env": {
                "type": "object",
                "title": "Environment variables",
                "additionalProperties": {"type": "string"},
                "default": {},
            },
            "stdin": {"type": "string", "title": "Text for standard input", "default": ""},
            "allow_errors": {
                "type": "boolean",
                "title": "Complete on a non-zero exit code",
                "default": False,
            },
        },
    }
    output_schema = {
        "type": "object",
        "properties": {
            "success": {"type": "boolean"},
            "return_code": {"type": "integer"},
            "stdout": {"type": "string"},
            "stderr": {"type": "string"},
            "truncated": {"type": "boolean"},
        },
    }

    def disabled(self) -> str:
        return "" if conf().command_enabled else OFF

    def run(self, ctx: ExecutionContext) -> dict[str, Any]:
        argv = allowed_argv(ctx.inputs)
        finished = _execute(argv, ctx.inputs)
        if finished["return_code"] and not ctx.inputs.get("allow_errors", False):
            ending = finished["stderr"].strip().splitlines()[-1:] or [""]
            errors = finished["stderr"]
            ctx.log(errors if len(errors) <= KEEP else f"…{errors[1 - KEEP :]}")
            raise ExecutorError(_why(argv[0], finished["return_code"], ending[0]), code="command_failed")
        return finished


def allowed_argv(inputs: dict[str, Any]) -> list[str]:
    """The argument list of *inputs*. Raises ExecutorError when it is malformed, switched off or not on the list."""
    settings = conf()
    if not settings.command_enabled:
        raise _refused(OFF, "command_disabled")
    argv = inputs.get("argv", inputs.get("command"))
    if isinstance(argv, str):
        raise _refused('argv: give a list such as ["/bin/echo", "hello"], not one text; no shell is used')
    if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv):
        raise _refused("argv: give the program and its arguments as a list of texts")
    if any("\0" in word for word in argv):
        raise _refused("argv: null characters are not allowed")
    if not os.path.isabs(argv[0]) or argv[0] not in settings.command_allow:
        listed = ", ".join(settings.command_allow) or "none (see APFLOW_COMMAND_ALLOW)"
        raise _refused(f"'{safe_text(argv[0], 200)}' may not be started; allowed: {listed}", "command_not_allowed")
    return argv


def _why(program: str, return_code: int, ending: str) -> str:
    if return_code == CANNOT_START and ending.startswith("cannot be started"):
        return f"{program} {safe_text(ending, 500)}"
    if CONFINES and return_code == -signal.SIGXCPU:
        return f"{program} took more than {conf().command_cpu_s} s of the processor (APFLOW_COMMAND_CPU_S)"
    return f"{program} ended with exit code {return_code}" + (f": {safe_text(ending, 500)}" if ending else "")


def _confined(argv: list[str]) -> list[str]:
    """The command that starts *argv* within the limits of the settings. They hold for each process that it starts."""
    settings = conf()
    limits = {
        "CPU": settings.command_cpu_s,
        "DATA": settings.command_memory_mb * MIB,
        "NOFILE": settings.command_files,
        "NPROC": settings.command_processes,
    }
    if not CONFINES or not any(limits.values()):
        return argv
    return [sys.executable, "-I", "-S", str(CONFINE), json.dumps(limits), *argv]


def _execute(argv: list[str], inputs: dict[str, Any]) -> dict[str, Any]:
    try:
        process = subprocess.Popen(
            _confined(argv),
            stdin=subprocess.PIPE if inputs.get("stdin") else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=inputs.get("cwd") or None,
            env=_environment(inputs.get("env") or {}),
        )
    except (OSError, ValueError) as error:
        raise ExecutorError(f"{argv[0]} cannot be started: {error}", code="command_failed") from error
    streams = [_Kept(), _Kept()]
    threads = [
        threading.Thread(target=kept.drain, args=(pipe,), daemon=True)
        for kept, pipe in zip(streams, (process.stdout, process.stderr), strict=True)
    ]
    for thread in threads:
        thread.start()
    if process.stdin is not None:
        _feed(process.stdin, str(inputs["stdin"]))
    return_code = process.wait()
    for thread in threads:
        thread.join(timeout=5)  # a program that it left behind may hold the pipe open
    return {
        "success": return_code == 0,
        "return_code": return_code,
        "stdout": streams[0].text(),
        "stderr": streams[1].text(),
        "truncated": any(kept.dropped for kept in streams),
    }


def _feed(pipe: IO[bytes], text: str) -> None:
    try:
        pipe.write(text.encode())
        pipe.close()
    except BrokenPipeError:
        return  # the program did not want to read it all


def _environment(extra: Any) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in INHERITED}  # noqa: TID251  handed on, not read
    if not isinstance(extra, dict):
        raise _refused("env: give an object of texts")
    for name, value in extra.items():
        if not isinstance(value, str) or not name or any(c in name + value for c in "\0") or "=" in name:
            raise _refused(f"env.{safe_text(str(name), 60)}: give a name without '=' and a text")
    return kept | extra


class _Kept:
    """The beginning and the end of a stream; what lies between is counted and dropped."""

    def __init__(self) -> None:
        self.head = bytearray()
        self.tail: deque[bytes] = deque()
        self.tail_bytes = 0
        self.dropped = 0

    def drain(self, pipe: IO[bytes]) -> None:
        with pipe:
            while chunk := os.read(pipe.fileno(), CHUNK):
                self.add(chunk)

    def add(self, chunk: bytes) -> None:
        room = KEEP - len(self.head)
        if room > 0:
            self.head += chunk[:room]
            chunk = chunk[room:]
        if not chunk:
            return
        self.tail.append(chunk)
        self.tail_bytes += len(chunk)
        while self.tail_bytes - len(self.tail[0]) >= KEEP:
            gone = len(self.tail.popleft())
            self.tail_bytes -= gone
            self.dropped += gone

    def text(self) -> str:
        tail = b"".join(self.tail)
        excess = max(0, len(tail) - KEEP)
        self.dropped += excess
        mark = f"\n… {self.dropped} bytes left out …\n".encode() if self.dropped else b""
        return safe_text((bytes(self.head) + mark + tail[excess:]).decode("utf-8", "replace"))


def _refused(message: str, code: str = "invalid_inputs") -> ExecutorError:
    return ExecutorError(message, code=code, retryable=False)
