"""A receiver on the loopback, which the settings allow, and what it was sent."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from orchestration.domain.states import Status
from orchestration.engine.webhooks import WebhookPump
from orchestration.models import Webhook, WebhookDelivery
from orchestration.services.webhooks import webhook_create
from tests.dashboard.rows import end_run, end_task, start
from tests.engine.support import until
from tests.factories import grant, make_tree, task, task_named

DEADLINE_S = 60.0


@dataclass
class Got:
    path: str
    headers: dict[str, str]
    body: str

    @property
    def content(self):
        return json.loads(self.body)


@dataclass
class Receiver:
    """Answers with what `answers` says, oldest first, then 200."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answers: list = field(default_factory=list)  # status, or (status, headers, body)
    held: threading.Event | None = None  # answers wait for it

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def events(self):
        return [got.content["event"] for got in self.got]


@contextmanager
def receiving():
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            size = int(self.headers["Content-Length"])
            body = self.rfile.read(size).decode()
            if len(body.encode()) < size:  # its sender has died in the middle of it
                self.close_connection = True
                return
            answer = receiver.answers.pop(0) if receiver.answers else 200
            receiver.got.append(Got(self.path, dict(self.headers.items()), body))
            if receiver.held is not None:
                receiver.held.wait(DEADLINE_S)
            status, headers, text = answer if isinstance(answer, tuple) else (answer, {}, b"thanks")
            try:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(text)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)
            except OSError:
                pass  # the sender has given up

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        if receiver.held is not None:
            receiver.held.set()
        server.shutdown()
        thread.join(DEADLINE_S)
        server.server_close()


def allow(settings, *places, **more):
    """The settings let webhooks reach *places*, such as 127.0.0.1:8000; *more* are other settings of the engine."""
    ports = [place.rpartition(":")[2] for place in places]
    settings.ORCHESTRATION = {
        **settings.ORCHESTRATION, "http_allow": list(places), "http_ports": ["80", "443", *ports], **more,
    }  # fmt: skip


def hook(user, url, *, events=("run.completed", "run.failed"), tree=None, **fields):
    """A webhook and its secret."""
    grant(user, "http_private")
    webhook, secret = webhook_create(user=user, url=url, events=events, tree_id=tree and tree.pk)
    Webhook.objects.filter(pk=webhook.pk).update(**fields)
    webhook.refresh_from_db()
    return webhook, secret


@contextmanager
def pumping():
    pump = WebhookPump()
    pump.start()
    try:
        yield pump
    finally:
        pump.finish()


def failed_run(owner):
    tree = make_tree(task("Report", executor=""), task("load"), owner=owner)
    run = start(tree)
    end_task(run, task_named(tree, "load"), Status.FAILED, error="no disk")
    return end_run(run, Status.FAILED)


def settled(count=1):
    """The deliveries once *count* of them have come to an end."""

    def look():
        rows = list(WebhookDelivery.objects.exclude(state="pending").order_by("pk"))
        return rows if len(rows) >= count else None

    return until(look, f"the end of {count} deliveries")
