"""The commands: each takes what was asked, the client and the output, and gives the exit code."""

from __future__ import annotations

import getpass
import json
import sys
from argparse import Namespace
from pathlib import Path

from orchestration.cli import store
from orchestration.cli.client import Client
from orchestration.cli.failure import CONNECTION, DONE, USAGE, Failure
from orchestration.cli.output import Output, plain
from orchestration.cli.watch import watch

TREE = ("id", "name", "owner", "status", "task_count", "run_count", "labels", "origin_type", "created_at")
RUN = (
    "id", "tree", "number", "status", "mode", "total", "completed", "running", "failed", "cancelled", "blocked",
    "started_by", "started_at", "completed_at", "reason",
)  # fmt: skip


def login(asked: Namespace, out: Output) -> int:
    """Check the token and keep it."""
    url = store.clean_url(asked.url)
    token = store.clean_token(asked.token if asked.token is not None else _ask_token())
    with Client(url, token) as client:
        me = client.get("me/")
    if not isinstance(me, dict) or "username" not in me:
        raise Failure(CONNECTION, f"{url} does not answer as an apflow server")
    file = store.save(url, token)
    if out.as_json:
        out.data({"url": url, "username": me["username"], "scope": me["scope"]})
    else:
        out.line(f"Signed in to {url} as {plain(me['username'], 64)}; the token may {me['scope']}. Kept in {file}")
    return DONE


def trees_list(asked: Namespace, client: Client, out: Output) -> int:
    """Trees, newest first."""
    trees = client.listed("trees/", asked.limit, search=asked.search, status=asked.status)
    if out.as_json:
        out.data(trees)
    else:
        rows = ([t["id"], t["name"], t["status"] or "never run", t["task_count"], t["owner"]] for t in trees)
        out.table(("ID", "NAME", "STATUS", "TASKS", "OWNER"), rows)
    return DONE


def trees_show(asked: Namespace, client: Client, out: Output) -> int:
    """A tree and its tasks."""
    tree = client.get(f"trees/{asked.tree}/")
    tasks = client.listed(f"trees/{asked.tree}/tasks/", asked.limit)
    if out.as_json:
        out.data({**tree, "tasks": tasks})
        return DONE
    out.fields(tree, TREE)
    rows = (["  " * t["depth"] + t["name"], t["executor"], t["status"], t["priority"], t["id"]] for t in tasks)
    out.table(("TASK", "EXECUTOR", "STATUS", "PRIORITY", "ID"), rows)
    return DONE


def trees_import(asked: Namespace, client: Client, out: Output) -> int:
    """A new tree from a file."""
    body = {"text": _text_of(asked.file), "format": asked.format, "labels": asked.label}
    tree = client.post("trees/import/", body)
    if out.as_json:
        out.data(tree)
        return DONE
    out.line(f"Tree {tree['id']}: {plain(tree['name'], 80)}, {tree['task_count']} tasks")
    for warning in tree["warnings"]:
        out.line(f"Note: {plain(warning['message'])}", "yellow")
    return DONE


def trees_export(asked: Namespace, client: Client, out: Output) -> int:
    """The tree as JSON that imports again."""
    tasks = client.get(f"trees/{asked.tree}/export/", state="true" if asked.state else None)
    if asked.output is None:
        out.data(tasks)
        return DONE
    try:
        Path(asked.output).write_text(json.dumps(tasks, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise Failure(USAGE, f"{asked.output} cannot be written: {error.strerror}") from None
    return DONE


def trees_delete(asked: Namespace, client: Client, out: Output) -> int:
    """Delete a tree; asks first unless --yes is given."""
    if not asked.yes:
        name = client.get(f"trees/{asked.tree}/")["name"]
        if not sys.stdin.isatty():
            raise Failure(USAGE, "deleting takes the tree's runs with it: add --yes if you mean it")
        print(f"Delete '{plain(name, 80)}' with all its runs? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise Failure(USAGE, "nothing was deleted")
    client.delete(f"trees/{asked.tree}/")
    if out.as_json:
        out.data({"deleted": asked.tree})
    return DONE


def run(asked: Namespace, client: Client, out: Output) -> int:
    """Start a run, and watch it if that is asked."""
    return _started(f"trees/{asked.tree}/runs/", asked, client, out)


def runs_retry(asked: Namespace, client: Client, out: Output) -> int:
    """Re-execute what a run has left."""
    return _started(f"runs/{asked.run}/retry/", asked, client, out)


def runs_list(asked: Namespace, client: Client, out: Output) -> int:
    """Runs, newest first."""
    runs = client.listed("runs/", asked.limit, tree=asked.tree, status=asked.status)
    if out.as_json:
        out.data(runs)
    else:
        rows = ([r["id"], r["tree"], r["number"], r["status"], r["mode"], r["started_at"][:19]] for r in runs)
        out.table(("ID", "TREE", "NUMBER", "STATUS", "MODE", "STARTED"), rows)
    return DONE


def runs_show(asked: Namespace, client: Client, out: Output) -> int:
    """One run."""
    found = client.get(f"runs/{asked.run}/")
    if out.as_json:
        out.data(found)
    else:
        out.fields(found, RUN)
    return DONE


def runs_cancel(asked: Namespace, client: Client, out: Output) -> int:
    """Cancel a run."""
    found = client.post(f"runs/{asked.run}/cancel/", {"reason": asked.reason})
    if out.as_json:
        out.data(found)
    else:
        out.line(f"Run {found['id']} is {'stopping' if found['completed_at'] is None else found['status']}")
    return DONE


def tail(asked: Namespace, client: Client, out: Output) -> int:
    """Every event of a run, to its end."""
    found = client.get(f"runs/{asked.run}/")
    return watch(client, out, found, asked.after, lines=True)


def _started(path: str, asked: Namespace, client: Client, out: Output) -> int:
    found = client.post(path, {"mode": asked.mode, "chosen": asked.task})
    if asked.watch:
        return watch(client, out, found)
    if out.as_json:
        out.data(found)
    else:
        out.line(f"Run {found['id']} started: {found['total']} tasks. Follow it with: apflowctl tail {found['id']}")
    return DONE


def _ask_token() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    return getpass.getpass("Token: ")


def _text_of(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return raw.decode("utf-8")
    except OSError as error:
        raise Failure(USAGE, f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Failure(USAGE, f"{file} is not UTF-8 text") from None
