"""A server with people and work in every state, for whoever asks it anything."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from tests.e2e.conftest import Server, nursery_of

WAIT_S = 60
CAST = """
import json
from pathlib import Path
from orchestration.services.tokens import token_create
from tests.factories import make_user
people = {{"operator": make_user("op"), "viewer": make_user("vic", role="viewer")}}
tokens = {{name: token_create(user=user, name="fuzz", scope="admin")[1] for name, user in people.items()}}
Path({file!r}).write_text(json.dumps(tokens))
"""
SHARE = """
from orchestration.models import Tree, TreeShare
from tests.factories import make_user
for tree in Tree.objects.order_by("pk"):
    TreeShare.objects.create(tree=tree, user=make_user("vic", role="viewer"), right=TreeShare.VIEW)
"""
SLEEP = {"name": "sleep", "executor": "simulate", "inputs": {"duration_s": 3600}}
FAIL = {"name": "fail", "executor": "simulate", "inputs": {"duration_s": 0, "fail": "on purpose"}}
NOOP = {"name": "quick", "executor": "noop"}


class FuzzServer(Server):
    """A server that lets one person write as often as they like, and waits for no task when it stops."""

    def __init__(self, folder, nursery):
        super().__init__(folder, nursery, APFLOW_API_WRITES_PER_MINUTE=str(10**6), APFLOW_SHUTDOWN_S="1")

    def populate(self) -> None:
        """People, and trees of the operator: completed, archived, failed, at work, cancelled, never run."""
        file = self.folder / "tokens.json"
        self.run_python(CAST.format(file=str(file)))
        self.tokens = json.loads(file.read_text())
        with self.client("operator") as api:
            done, failed, working, stopped = (self._started(api, task) for task in (NOOP, FAIL, SLEEP, SLEEP))
            api.post(f"runs/{stopped['id']}/cancel/", json={}).raise_for_status()
            self._tree(api, NOOP)
            for run in (done, failed, stopped):
                self._ended(api, run["id"])
            root = api.get(f"trees/{done['tree']}/").json()["root"]
            for verb in ("archive", "link", "copy"):
                api.post(f"tasks/{root}/{verb}/", json={}).raise_for_status()
            assert api.get(f"runs/{working['id']}/").json()["status"] == "in_progress"
        self.run_python(SHARE)

    def client(self, role: str) -> httpx.Client:
        """A client of the API; role "stranger" has no token."""
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role in self.tokens else {}
        return httpx.Client(base_url=f"{self.url}/api/v1/", headers=headers, timeout=30)

    def _tree(self, api, task):
        answer = api.post("trees/", json={"tasks": [{"name": "root"}, {**task, "parent_id": "root"}]})
        return answer.raise_for_status().json()["id"]

    def _started(self, api, task):
        return api.post(f"trees/{self._tree(api, task)}/runs/", json={}).raise_for_status().json()

    def _ended(self, api, run):
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            if api.get(f"runs/{run}/").json()["status"] != "in_progress":
                return
            time.sleep(0.05)
        raise AssertionError(f"run {run} has not ended")


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    with nursery_of(tmp_path_factory.mktemp("nursery")) as nursery:
        yield nursery


@pytest.fixture(scope="module")
def server(tmp_path_factory, nursery):
    with FuzzServer(tmp_path_factory.mktemp("data"), nursery) as server:
        server.up()
        server.populate()
        yield server
        server.stop()
