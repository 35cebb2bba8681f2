"""A process that has everything imported and forks others: what `manage.py` would start, in a tenth of the time.

python -m orchestration.soak.nursery: a JSON request per line in, what begins and ends per line out. A child is killed
when the nursery ends.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import logging.config
import os
import pkgutil
import select
import signal
import sys
import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import django
from django.conf import Settings, settings
from django.core.management import ManagementUtility
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from orchestration import failpoints
from orchestration.engine.child_processes import die_with_parent
from orchestration.soak.fork_servers import fork_source
from orchestration.sqlite3.base import close_idle

# these open an event loop, which must not be shared by forks
UNREADY = ("daphne.server", "orchestration.engine.server", "orchestration.engine.backpressure")
AHEAD = ("apflow_site.urls", "apflow_site.asgi", "daphne.http_protocol", "daphne.ws_protocol", "daphne.endpoints")


@dataclass
class Order:
    """One child: `manage.py` with *argv*, or the function *call* with *arguments*, whose answer is JSON in *output*."""

    number: int
    argv: list[str] = field(default_factory=list)
    call: str = ""  # module:function
    arguments: list[Any] = field(default_factory=list)
    output: str = os.devnull
    errors: str = os.devnull
    failpoints: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)  # on top of the nursery's own

    def line(self) -> str:
        """For the nursery's stdin."""
        return json.dumps(asdict(self)) + "\n"


def main() -> None:
    """Serve until stdin ends."""
    _import_everything()
    gc.collect()
    gc.freeze()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    _say(ready=True)
    buffer = b""
    while True:
        readable = select.select([0, woken], [], [])[0]
        if woken in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 4096)
            _bury()
        if 0 not in readable:
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            return
        *lines, buffer = (buffer + chunk).split(b"\n")
        for line in lines:
            _fork(Order(**json.loads(line)), (woken, wake))


def _import_everything() -> None:
    for name in UNREADY:
        sys.modules[name] = types.ModuleType(name)
    django.setup()
    for name in AHEAD:
        importlib.import_module(name)
    MigrationLoader(None)
    commands = importlib.import_module("orchestration.management.commands")
    for found in pkgutil.iter_modules(commands.__path__):
        if found.name not in {"up", "soak", "test"}:
            importlib.import_module(f"{commands.__name__}.{found.name}")
    for name in UNREADY:
        del sys.modules[name]
        package, _, attribute = name.rpartition(".")
        if hasattr(sys.modules[package], attribute):
            delattr(sys.modules[package], attribute)


def _say(**told: Any) -> None:
    os.write(1, (json.dumps(told) + "\n").encode())


def _bury() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _say(ended=pid, code=os.waitstatus_to_exitcode(status))


def _fork(order: Order, wakers: tuple[int, int]) -> None:
    pid = os.fork()
    if pid:
        _say(number=order.number, pid=pid)
        return
    code = 1
    try:
        _settle(order, wakers)
        code = _work(order)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  a forked process must never come back into the nursery's loop
        sys.excepthook(*sys.exc_info())
    finally:
        for last in (sys.stdout.flush, sys.stderr.flush, connections.close_all, close_idle):
            with contextlib.suppress(Exception):  # what was said is told even if a connection cannot be closed
                last()
        os._exit(code)


def _settle(order: Order, wakers: tuple[int, int]) -> None:
    """Become a process of one's own: signals, streams, failpoints."""
    die_with_parent()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor in wakers:
        os.close(descriptor)
    for number, path in ((0, os.devnull), (1, order.output), (2, order.errors)):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = os.open(path, flags, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    if order.environment:
        _move_to(order.environment)
    if order.argv:
        fork_source()
    failpoints.arm(order.failpoints)


def _move_to(environment: Mapping[str, str]) -> None:
    """The settings are made anew, as a process that had this environment would make them. Nothing is connected yet."""
    os.environ.update(environment)  # noqa: TID251  written, for the settings to read
    importlib.reload(sys.modules["apflow_site.settings"])
    made: Any = Settings("apflow_site.settings")
    settings._wrapped = made
    logging.config.dictConfig(made.LOGGING)
    for old in connections.all(initialized_only=True):
        del connections[old.alias]
    connections.__dict__.pop("settings", None)
    vars(connections)["_settings"] = None


def _work(order: Order) -> int:
    if order.call:
        module, _, name = order.call.partition(":")
        answer = getattr(importlib.import_module(module), name)(*order.arguments)
        sys.stdout.write(json.dumps(answer))
        return 0
    ManagementUtility(["manage.py", *order.argv]).execute()
    return 0


if __name__ == "__main__":
    main()
