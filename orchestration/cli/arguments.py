"""What can be asked on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from orchestration.cli import commands
from orchestration.domain.states import Mode, Status

STATUSES = [str(status) for status in Status if status != Status.PENDING]
MODES = [str(mode) for mode in Mode]
EXIT_CODES = (
    "exit codes: 0 done (of a watched run: completed), 1 the watched run failed or was cancelled, 2 wrong usage or "
    "refused input, 3 not found or not allowed, 4 no connection"
)


def parser() -> argparse.ArgumentParser:
    """The parser; `do` of what it gives is the command, `signs_in` says that there is no connection yet."""
    top = argparse.ArgumentParser(prog="apflowctl", description="Work with an apflow server.", epilog=EXIT_CODES)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON")
    verbs = top.add_subparsers(required=True, metavar="COMMAND")
    sign = _verb(verbs, "login", commands.login, "keep the address of a server and a token", common)
    sign.add_argument("url")
    sign.add_argument("--token", help="default: asked for, or read from standard input")
    sign.set_defaults(signs_in=True)
    _trees(verbs.add_parser("trees", help="trees of tasks").add_subparsers(required=True, metavar="COMMAND"), common)
    run = _verb(verbs, "run", commands.run, "run a tree", common)
    run.add_argument("tree", type=_number)
    _how(run, Mode.ALL)
    _runs(verbs.add_parser("runs", help="runs of trees").add_subparsers(required=True, metavar="COMMAND"), common)
    tail = _verb(verbs, "tail", commands.tail, "print the events of a run until it ends", common)
    tail.add_argument("run", type=_number)
    tail.add_argument("--after", type=int, default=0, metavar="N", help="only events after number N")
    return top


def _trees(verbs: Any, common: argparse.ArgumentParser) -> None:
    listed = _verb(verbs, "list", commands.trees_list, "trees, newest first", common)
    listed.add_argument("--search", help="text in the name")
    listed.add_argument("--status", choices=[*STATUSES, "never"], help="state of the newest run")
    _limit(listed, 50)
    show = _verb(verbs, "show", commands.trees_show, "a tree and its tasks", common)
    show.add_argument("tree", type=_number)
    _limit(show, 1000)
    load = _verb(verbs, "import", commands.trees_import, "a new tree from a JSON or YAML file", common)
    load.add_argument("file", help="- is the standard input")
    load.add_argument("--format", choices=["auto", "json", "yaml"], default="auto")
    load.add_argument("--label", action="append", default=[], help="may be repeated")
    export = _verb(verbs, "export", commands.trees_export, "a tree as JSON that imports again", common)
    export.add_argument("tree", type=_number)
    export.add_argument("--state", action="store_true", help="with ids, state, results and times")
    export.add_argument("-o", "--output", metavar="FILE")
    delete = _verb(verbs, "delete", commands.trees_delete, "delete a tree with its runs", common)
    delete.add_argument("tree", type=_number)
    delete.add_argument("--yes", action="store_true", help="do not ask")


def _runs(verbs: Any, common: argparse.ArgumentParser) -> None:
    listed = _verb(verbs, "list", commands.runs_list, "runs, newest first", common)
    listed.add_argument("--tree", type=_number)
    listed.add_argument("--status", choices=STATUSES)
    _limit(listed, 50)
    show = _verb(verbs, "show", commands.runs_show, "one run", common)
    show.add_argument("run", type=_number)
    cancel = _verb(verbs, "cancel", commands.runs_cancel, "cancel a run", common)
    cancel.add_argument("run", type=_number)
    cancel.add_argument("--reason", default="")
    retry = _verb(verbs, "retry", commands.runs_retry, "re-execute a run", common)
    retry.add_argument("run", type=_number)
    _how(retry, Mode.FAILED)


def _verb(
    verbs: Any, name: str, do: Callable[..., int], text: str, common: argparse.ArgumentParser
) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text, parents=[common])
    made.set_defaults(do=do, signs_in=False)
    return made


def _how(verb: argparse.ArgumentParser, mode: Mode) -> None:
    verb.add_argument("--mode", choices=MODES, default=str(mode), help=f"what to run (default: {mode})")
    verb.add_argument("--task", action="append", default=[], metavar="ID", help="for from and only; may be repeated")
    verb.add_argument("--watch", action="store_true", help="follow the run; the exit code tells how it ended")


def _limit(verb: argparse.ArgumentParser, default: int) -> None:
    verb.add_argument("--limit", type=_number, default=default, help=f"at most so many (default: {default})")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:20]) < 2**53):
        raise argparse.ArgumentTypeError("expected a number from 1")
    return int(text)
