"""Typed view of settings.ORCHESTRATION: every limit and default of the engine, with its unit."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings

KIB = 1024
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Conf:
    process_slots: int = 4  # child processes at a time
    async_slots: int = 100  # built-in async executors at a time
    lease_s: float = 15.0  # a worker silent for longer has lost its attempts
    heartbeat_s: float = 5.0  # how often leases are renewed
    sweep_s: float = 5.0  # how often expired leases and due retries are looked for
    grace_s: float = 5.0  # between asking a process to stop (SIGTERM) and killing it
    shutdown_s: float = 30.0  # how long a graceful stop waits for running tasks
    recovery_limit: int = 3  # how often one task of a run is taken over from a dead engine before it fails
    executor_limits: dict[str, int] = field(default_factory=dict)  # executor -> attempts of it at a time
    queues: dict[str, str] = field(default_factory=dict)  # executor -> queue of its attempts, else "default"
    dispatch: str = "here"  # where the engine of `up` has attempts run: here, or with `workers` (PostgreSQL)
    ageing_s: float = 0.0  # waiting this long is worth one step of priority; 0 = priorities never yield
    default_timeout_s: float = 0.0  # for tasks without timeout_s; 0 = none
    max_inputs_bytes: int = 256 * KIB  # inputs and params of one task, as JSON text
    max_result_bytes: int = 1 * MIB  # result of one task, as JSON text
    max_log_bytes: int = 256 * KIB  # log kept per attempt
    max_depth: int = 64  # nesting of a JSON value
    max_tasks: int = 10_000  # per tree
    max_dependencies: int = 100_000  # per tree
    max_trees: int = 100_000  # of one owner
    max_all_tasks: int = 10_000_000  # in all trees of one owner
    max_active_runs: int = 1_000  # of the trees of one owner, at a time
    max_parents: int = 1_000  # how deep parents nest
    progress_per_s: float = 10.0  # progress reports stored per task
    http_allow: list[str] = field(default_factory=list)  # private networks or host:port that http may reach
    http_own: list[str] = field(default_factory=list)  # host:port of this server: everybody may reach it
    http_ports: list[str] = field(default_factory=lambda: ["80", "443", "8000", "8080", "8443"])
    webhook_timeout_s: float = 10.0  # one try to deliver, from name look-up to the answer
    webhook_pauses_s: list[float] = field(default_factory=lambda: [10, 60, 300, 1800, 7200, 21600])  # between tries
    webhook_failures: int = 10  # deliveries given up in a row until the webhook is switched off
    command_enabled: bool = False
    command_allow: list[str] = field(default_factory=list)  # absolute paths that `command` may start
    command_cpu_s: int = 3600  # of each process of a command; 0 = no limit, as in the next three
    command_memory_mb: int = 4096  # data of each process
    command_files: int = 1024  # that each process has open at a time
    command_processes: int = 0  # of the user that commands run as, all together


def conf() -> Conf:
    """The engine's settings as they are now. Raises TypeError when settings.ORCHESTRATION has an unknown name."""
    return Conf(**settings.ORCHESTRATION)
