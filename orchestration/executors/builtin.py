"""The executors that come with the engine. To add one: write its file, list it here, test it."""

from __future__ import annotations

from orchestration.executors.aggregate_results import AggregateResults
from orchestration.executors.base import Executor
from orchestration.executors.command import Command
from orchestration.executors.http import Http
from orchestration.executors.noop import Noop
from orchestration.executors.send_email import SendEmail
from orchestration.executors.simulate import Simulate
from orchestration.executors.system_info import SystemInfo

BUILTINS: tuple[type[Executor], ...] = (SystemInfo, Http, Command, AggregateResults, SendEmail, Simulate, Noop)
