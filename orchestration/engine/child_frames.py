"""The frames between the engine and a child process: four bytes of length, one byte of kind, the payload."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

from orchestration.domain.work import DependencyResult, Outcome, Work

HEADER = struct.Struct(">IB")
MAX_WORK_BYTES = 512 * 1024 * 1024  # inputs and results of all dependencies
MARGIN = 1024 * 1024  # error, traceback, codes; beside the result or the log in one frame


class FrameKind(IntEnum):
    WORK = 1  # engine -> supervisor: JSON of the work, with the limits
    CANCEL = 2  # engine -> supervisor: stop, kill after the grace period
    PROGRESS = 3  # JSON [fraction, message]
    RESULT = 4  # the result's JSON text
    ERROR = 5  # JSON of error, code, traceback, retryable
    LOG = 6  # text
    EXIT = 7  # JSON [exit code or minus signal]; nothing is alive any more


class FrameError(Exception):
    """The other side sent what is no frame."""


def frame(kind: FrameKind, payload: bytes = b"") -> bytes:
    """One frame, ready to send."""
    return HEADER.pack(len(payload), kind) + payload


def json_frame(kind: FrameKind, value: Any) -> bytes:
    """One frame with a JSON payload."""
    return frame(kind, json.dumps(value).encode())


class FrameBuffer:
    """Cuts a stream of bytes into frames. Raises FrameError for a frame longer than *limit* or of unknown kind."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.data = bytearray()

    def feed(self, chunk: bytes) -> Iterator[tuple[FrameKind, bytes]]:
        """The frames that *chunk* completes."""
        self.data += chunk
        while len(self.data) >= HEADER.size:
            size, kind = parse_header(bytes(self.data[: HEADER.size]), self.limit)
            end = HEADER.size + size
            if len(self.data) < end:
                return
            payload = bytes(self.data[HEADER.size : end])
            del self.data[:end]
            yield kind, payload


def parse_header(header: bytes, limit: int) -> tuple[int, FrameKind]:
    """Length and kind. Raises FrameError."""
    size, kind = HEADER.unpack(header)
    if size > limit:
        raise FrameError(f"frame of {size} bytes, limit {limit}")
    try:
        return size, FrameKind(kind)
    except ValueError:
        raise FrameError(f"frame of unknown kind {kind}") from None


def receive_frame(connection: socket.socket, limit: int) -> tuple[FrameKind, bytes] | None:
    """The next frame of a blocking socket, or None at its end."""
    header = _receive(connection, HEADER.size)
    if header is None:
        return None
    size, kind = parse_header(header, limit)
    payload = _receive(connection, size)
    return None if payload is None else (kind, payload)


def _receive(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        chunk = connection.recv(min(size - len(data), 1 << 20))
        if not chunk:
            return None
        data += chunk
    return bytes(data)


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything to a blocking descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def encode_work(work: Work, *, grace_s: float, max_result_bytes: int, max_log_bytes: int) -> bytes:
    """The payload of a WORK frame."""
    dependencies = [[d.id, d.name, d.required, d.status, d.result, d.error] for d in work.dependencies]
    return json.dumps(
        {
            "run_id": work.run_id,
            "task_id": work.task_id,
            "attempt": work.attempt,
            "try_number": work.try_number,
            "name": work.name,
            "executor": work.executor,
            "inputs": work.inputs,
            "params": work.params,
            "dependencies": dependencies,
            "limits": [grace_s, max_result_bytes, max_log_bytes],
        }
    ).encode()


def decode_work(payload: bytes) -> tuple[Work, float, int, int]:
    """The work of a WORK frame, then grace_s, max_result_bytes, max_log_bytes."""
    data = json.loads(payload)
    grace_s, max_result_bytes, max_log_bytes = data.pop("limits")
    dependencies = [DependencyResult(*fields) for fields in data.pop("dependencies")]
    return Work(**data, dependencies=dependencies), grace_s, max_result_bytes, max_log_bytes


def outcome_frame(outcome: Outcome) -> bytes:
    """The RESULT or ERROR frame of an outcome."""
    if outcome.result is not None:
        return frame(FrameKind.RESULT, outcome.result.encode())
    return json_frame(FrameKind.ERROR, [outcome.error or "", outcome.error_code, outcome.traceback, outcome.retryable])
