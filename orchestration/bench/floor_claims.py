"""What PostgreSQL allows: processes that claim 20 rows and complete them, by two statements, with plain psycopg.

No attempts, no events, no order over several runs, nobody who decides: each takes what it finds (SKIP LOCKED).
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Mapping
from typing import Any

import psycopg

from orchestration.domain.states import Status

CLAIM = 20
START_S = 300.0  # a busy machine takes its time
TABLE = "CREATE TABLE bench_claims (id bigint PRIMARY KEY, status text, priority int, result jsonb)"
FILL = "INSERT INTO bench_claims SELECT g, %s, g %% 4 FROM generate_series(1, %s) AS g"
TAKE = """UPDATE bench_claims SET status = %s WHERE id IN (SELECT id FROM bench_claims WHERE status = %s
 ORDER BY priority, id LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id"""
COMPLETE = """UPDATE bench_claims t SET status = %s, result = v.result::jsonb
 FROM unnest(%s::bigint[], %s::text[]) AS v(id, result) WHERE t.id = v.id"""


def floor_claims_per_s(place: Mapping[str, Any], workers: int, tasks: int) -> float:
    """Rows per second of *workers* processes in the database at *place* (psycopg's keywords). Makes a table there."""
    with psycopg.connect(**place, autocommit=True) as connection:
        connection.execute(TABLE)
        connection.execute("CREATE INDEX ON bench_claims (status, priority, id)")
        connection.execute(FILL, [Status.PENDING.value, tasks])
        connection.execute("VACUUM ANALYZE bench_claims")
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(workers + 1)
    hands = [context.Process(target=_work, args=(dict(place), gate)) for _ in range(workers)]
    for hand in hands:
        hand.start()
    gate.wait(START_S)
    began = time.perf_counter()
    for hand in hands:
        hand.join()
    seconds = time.perf_counter() - began
    with psycopg.connect(**place) as connection:
        (done,) = connection.execute("SELECT count(*) FROM bench_claims WHERE result IS NOT NULL").fetchone() or (0,)
    if done != tasks:
        raise RuntimeError(f"the floor completed {done} of {tasks}")
    return tasks / seconds


def _work(place: dict[str, Any], gate: Any) -> None:
    with psycopg.connect(**place, autocommit=True) as connection:
        gate.wait(START_S)
        while True:
            taken = connection.execute(TAKE, [Status.IN_PROGRESS.value, Status.PENDING.value, CLAIM]).fetchall()
            if not taken:
                return
            results = [json.dumps({"i": number, "s": time.time(), "e": time.time()}) for (number,) in taken]
            connection.execute(COMPLETE, [Status.COMPLETED.value, [number for (number,) in taken], results])
