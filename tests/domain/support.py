"""Runs in memory: what the domain does without any database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orchestration.domain.progression import connect
from orchestration.domain.runstate import RunState
from orchestration.domain.taskstate import Edge, TaskState
from orchestration.domain.work import Ending, Outcome

START = datetime(2030, 1, 1, tzinfo=UTC)


def run_of(edges, *, groups=(), **more):
    """A run, not yet derived. *edges*: name -> "a b? c" (what it waits for; ? = optional). *more*: fields by name."""
    tasks = {}
    for place, name in enumerate(edges):
        fields = {"executor": "" if name in groups else "x", "priority": 2} | more.get(name, {})
        tasks[name] = TaskState(name, name, position=place, **fields)
    for name, awaited in edges.items():
        words = awaited.split() if isinstance(awaited, str) else awaited
        tasks[name].edges = [Edge(tasks[word.rstrip("?")], not word.endswith("?")) for word in words]
    for task in tasks.values():
        connect(task)
    return RunState(1, 1, tasks.values())


class Play:
    """Plays a run: starts what is ready and reports outcomes, keeping every event."""

    def __init__(self, run):
        self.run = run
        self.now = START
        self.events = []
        self.ready = []
        self.retries = []
        run.derive(self.tick())
        self.collect()

    def tick(self):
        self.now += timedelta(seconds=1)
        return self.now

    def collect(self):
        changes = self.run.take_changes()
        self.events += changes.events
        self.ready += changes.ready
        self.retries += changes.retries

    def start(self, name):
        task = self.run.tasks[name]
        self.ready.remove(task)
        self.run.start(task, "{}", "{}", self.tick())
        self.collect()

    def report(self, name, ending=Ending.COMPLETED, attempt=None, **more):
        task = self.run.tasks[name]
        if ending == Ending.COMPLETED:
            more.setdefault("result", "1")
        else:
            more.setdefault("error", "no")
        self.run.report(Outcome(1, name, attempt or task.attempt, ending, **more), self.tick())
        self.collect()

    def do(self, text):
        """ "a b! c" starts and ends tasks: a completes, b! fails, c~ is cancelled."""
        for word in text.split():
            name = word.rstrip("!~")
            self.start(name)
            ending = {"!": Ending.FAILED, "~": Ending.CANCELLED}.get(word[len(name) :], Ending.COMPLETED)
            self.report(name, ending)
        return self

    @property
    def states(self):
        return {t.id: "blocked" if t.blocked_by and t.status == "pending" else str(t.status) for t in self.run.scope}

    @property
    def startable(self):
        return sorted(t.id for t in self.ready)

    @property
    def kinds(self):
        return [(str(e.kind), e.task_id) for e in self.events]
