"""Executors that misbehave, for installations of these tests."""

from __future__ import annotations

import os
import time

from django.conf import settings
from django.db import connection

from orchestration.executors import ExecutionContext, executor

HOARD = 10


@executor(id="bad_descriptors")
def bad_descriptors(ctx: ExecutionContext):
    """Opens files until there are no more to be had."""
    hoard = []
    while True:
        hoard.append(open("/dev/null"))  # noqa: SIM115  to be leaked


@executor(id="bad_connections")
def bad_connections(ctx: ExecutionContext):
    """Leaves connections open, with transactions in them."""
    hoard = [connection.copy(f"own{number}") for number in range(HOARD)]
    for one in hoard:
        one.settings_dict["OPTIONS"] = {k: v for k, v in one.settings_dict["OPTIONS"].items() if k != "pool"}
        one.ensure_connection()
        if one.vendor == "postgresql":
            one.set_autocommit(False)
        with one.cursor() as cursor:
            cursor.execute("SELECT 1")
    ctx.progress(0.5, "hoarding")
    while not os.path.exists(f"{ctx.inputs['file']}.go"):
        time.sleep(0.02)
    os._exit(9)


@executor(id="bad_forks")
def bad_forks(ctx: ExecutionContext):
    """Forks as fast as it can, to a number that the machine survives; each fork sleeps."""
    for _ in range(ctx.inputs.get("number", 200)):
        if os.fork() == 0:
            time.sleep(600)
            os._exit(0)
    with open(f"{ctx.inputs['file']}.forked", "w") as file:
        file.write("done")
    time.sleep(600)


@executor(id="bad_flood")
def bad_flood(ctx: ExecutionContext):
    """Reports progress a hundred thousand times."""
    count = ctx.inputs.get("number", 100_000)
    for number in range(count):
        ctx.progress(number / count, "x" * 50)
    return {"slots": settings.ORCHESTRATION["process_slots"]}
