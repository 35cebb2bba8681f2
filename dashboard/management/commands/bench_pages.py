"""`manage.py bench_pages`: how fast the pages of a large installation are."""

from __future__ import annotations

import json
from argparse import SUPPRESS, ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from dashboard.bench.answers import cookie_of, costs_of, measure_answers, pages_of, served
from dashboard.bench.browser import measure_browser, missing
from dashboard.bench.reads import measure_reads
from dashboard.bench.sample import sample_make
from dashboard.bench.tables import text_of
from dashboard.bench.tabs import leave_one, measure_tabs
from orchestration.conf import conf
from orchestration.management.bench_apart import measured_apart, prepare_inside

TIMEOUT_S = 3600


class Command(BaseCommand):
    help = "Measure the pages with a run of 10,000 tasks, on a database of its own in a temporary folder."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tasks", type=int, default=10_000, help="of the large runs (default: %(default)s)")
        parser.add_argument("--rounds", type=int, default=30, help="requests of each page (default: %(default)s)")
        parser.add_argument("--task-s", type=float, default=1.0, help="seconds of a task (default: %(default)s)")
        parser.add_argument("--no-browser", action="store_true", help="only the answers of the server")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
        parser.add_argument("--inside", help=SUPPRESS)  # the folder: measure in this process

    def handle(self, **options: Any) -> None:
        _check(options)
        if options["inside"] is not None:
            self.stdout.write(json.dumps(_inside(options)))
            return
        figures = _outside(options)
        self.stdout.write(json.dumps(figures) if options["json"] else _text(figures))


def _check(options: dict[str, Any]) -> None:
    if not 20 <= options["tasks"] <= conf().max_tasks:
        raise CommandError(f"--tasks: from 20 to {conf().max_tasks}", returncode=2)
    if options["rounds"] < 1:
        raise CommandError("--rounds: must be at least 1", returncode=2)


def _outside(options: dict[str, Any]) -> dict[str, Any]:
    arguments = ["--no-browser"] if options["no_browser"] else []
    for name in ("tasks", "rounds", "task_s"):
        arguments += [f"--{name.replace('_', '-')}", str(options[name])]
    figures: dict[str, Any] = measured_apart("bench_pages", arguments, timeout_s=TIMEOUT_S)
    return figures


def _inside(options: dict[str, Any]) -> dict[str, Any]:
    prepare_inside(options["inside"])
    user = User.objects.create_superuser("bench", password=None)
    sample = sample_make(user, options["tasks"], options["task_s"])
    pages = pages_of(sample)
    costs = costs_of(pages, user)
    reads = measure_reads(sample, user)
    cookies = cookie_of(user)
    connection.close()
    why_not = "not asked for" if options["no_browser"] else missing()
    with served() as url:
        answers = measure_answers(pages, url, cookies, options["rounds"])
        browser = {"missing": why_not} if why_not else measure_browser(sample, url, cookies)
        tabs = [] if why_not else _tabs(user, url, cookies)
    rows = [{**row, **costs[row["page"]]} for row in answers]
    size = {"tasks": options["tasks"], "rounds": options["rounds"]}
    return {**size, "answers": rows, "reads": reads, "browser": browser, "tabs": tabs}


def _tabs(user: User, url: str, cookies: dict[str, str]) -> list[dict[str, Any]]:
    run = leave_one(user)
    connection.close()
    return measure_tabs(run, url, cookies)


def _text(figures: dict[str, Any]) -> str:
    title = f"answers of the server, runs of {figures['tasks']:,} tasks, one goes on ({figures['rounds']} requests)"
    text = text_of({title: figures["answers"], "reads, processor time": figures["reads"]})
    browser = figures["browser"]
    if "missing" in browser:
        return f"{text}no figures of a browser: {browser['missing']}\n"
    scroll = browser["scroll"]
    return (
        text
        + text_of({"in Chromium, medians": browser["pages"]})
        + f"script and style of the run page: {browser['script_and_style_kb']} kB as sent\n"
        + f"an empty tab: {browser['blank_tab_mb']} MB; "
        + f"after scrolling: {scroll['tab_mb']} MB, {scroll['heap_mb']} of them of scripts\n"
        + f"scrolling: {scroll['lines_without_row']} lines without a row in {scroll['looks']} looks\n"
        + text_of({"tabs that nobody touches, one task goes on; percent of a core": figures["tabs"]})
    )
