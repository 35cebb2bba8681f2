"""Which process passes which failpoint, and what has to be there for it."""

from __future__ import annotations

PERSON = {"tree.create", "run.start", "run.cancel", "task.cancel"}
WEB = {"idempotency.remember", "bulk.step", "web.committed"}
ENGINE = {
    "engine.recover": "", "engine.heartbeat": "@2", "engine.sweep": "@2", "engine.ready": "@3", "engine.report": "@3",
    "engine.claim": "@2", "store.tasks": "@2", "store.attempts": "@2", "store.events": "@2", "store.run": "@2",
    "engine.committed": "@2", "engine.delivered": "@2",
}  # fmt: skip
STOPPING = {"engine.stop", "engine.stopped"}
HANDING_OUT = {"engine.collect": "@3", "engine.dispatch": "@2"}
WORKER = {"worker.report": "", "worker.pick_up": "@2", "worker.committed": "@3", "worker.renew": "@2"}
WORKER_STOPPING = {"worker.stop"}
WEBHOOK = {"webhook.tell", "webhook.sent", "webhook.record"}
ALL = PERSON | WEB | ENGINE.keys() | STOPPING | HANDING_OUT.keys() | WORKER.keys() | WORKER_STOPPING | WEBHOOK
