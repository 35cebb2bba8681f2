"""The updates of a step as one statement for all rows: PostgreSQL. Used by transitions_store.py alone.

Row by row, each costs a round trip and a plan, which is two thirds of a step's time.
"""

from __future__ import annotations

# What each row was comes with it: to a constant PostgreSQL would expect a handful of live attempts, whatever there are,
# and compare each of them with each row of the step.
TASKS = """UPDATE orchestration_task AS t SET status = v.status, attempt = v.attempt, progress = v.progress,
 error = v.error, blocked_by_id = v.blocked_by, ready_at = v.ready_at, retry_at = v.retry_at,
 stop_requested_at = v.stop_requested_at, stop_reason = v.stop_reason, started_at = v.started_at,
 completed_at = v.completed_at, updated_at = v.updated_at
 FROM unnest(%s::text[], %s::int[], %s::float[], %s::text[], %s::uuid[], %s::timestamptz[], %s::timestamptz[],
 %s::timestamptz[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::uuid[], %s::bigint[],
 %s::text[], %s::int[]) AS v(status, attempt, progress, error, blocked_by, ready_at, retry_at, stop_requested_at,
 stop_reason, started_at, completed_at, updated_at, id, run_id, was, was_attempt)
 WHERE t.id = v.id AND t.run_id = v.run_id AND t.status = v.was AND t.attempt = v.was_attempt"""
ATTEMPTS = """UPDATE orchestration_attempt AS a SET status = v.status, completed_at = v.completed_at,
 result = v.result, error = v.error, error_code = v.error_code, traceback = v.traceback, log = v.log,
 lease_expires_at = NULL
 FROM unnest(%s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::uuid[],
 %s::int[], %s::text[]) AS v(status, completed_at, result, error, error_code, traceback, log, task_id, number, was)
 WHERE a.task_id = v.task_id AND a.number = v.number AND a.status = v.was"""
RUNS = """UPDATE orchestration_run AS r SET seq = v.seq, status = v.status, running = v.running,
 completed = v.completed, failed = v.failed, cancelled = v.cancelled, blocked = v.blocked, completed_at = v.completed_at
 FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::int[], %s::int[], %s::int[], %s::int[], %s::timestamptz[],
 %s::bigint[], %s::bigint[]) AS v(seq, status, running, completed, failed, cancelled, blocked, completed_at, id, was)
 WHERE r.id = v.id AND r.seq = v.was"""
