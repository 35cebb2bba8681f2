from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.domain.explain.causes import root_causes
from orchestration.domain.explain.facts import EdgeFact, Fate, TaskFact, blocks, fate
from orchestration.domain.explain.provenance import provenance_words
from orchestration.domain.explain.queueing import Queued, Running, Slots
from orchestration.domain.explain.remedies import RemedyKind
from orchestration.domain.explain.sentences import Relation
from orchestration.domain.explain.verdicts import Verdict, edge_verdicts
from orchestration.domain.explain.waiting import why_waiting
from orchestration.domain.states import Status

NOW = datetime(2030, 1, 1, tzinfo=UTC)
FREE = Slots(process=4, asynchronous=4)


def task(name, status=Status.PENDING, **fields):
    return TaskFact(id=name, name=name, status=status, **{"executor": "noop", **fields})


def by_id(*tasks):
    return {t.id: t for t in tasks}


def needs(waiting, *others, required=True):
    return [EdgeFact(waiting, other, required) for other in others]


def names(links):
    return [link.name for link in links]


def test_the_chain_leads_to_the_running_task():
    tasks = by_id(task("a"), task("b"), task("c", Status.IN_PROGRESS, started_at=NOW))
    why = why_waiting("a", tasks, needs("a", "b") + needs("b", "c", required=False), FREE)
    assert [(link.name, link.relation, link.required) for link in why.chain] == [
        ("a", Relation.WAITS_FOR, True),
        ("b", Relation.WAITS_FOR, False),
        ("c", Relation.RUNNING, None),
    ]
    assert why.chain[-1].since == NOW
    assert why.headline == "Waits in the end (2 steps away) for “c”, which is running."
    assert not why.never
    assert why.remedies == ()


def test_the_longest_way_is_decisive_and_the_others_stand_beside_it():
    tasks = by_id(task("a"), task("b"), *(task(n, Status.IN_PROGRESS, started_at=NOW) for n in "cd"))
    why = why_waiting("a", tasks, needs("a", "d", "b") + needs("b", "c"), FREE)
    assert (names(why.chain), names(why.siblings), names(why.causes)) == (["a", "b", "c"], ["d"], ["c", "d"])


def test_a_blocked_task_names_its_root_cause_and_the_remedies():
    tasks = by_id(
        task("a", blocked_by="b"), task("b", blocked_by="c"), task("c", Status.FAILED), task("d", Status.FAILED)
    )
    why = why_waiting("a", tasks, needs("a", "d", "b") + needs("b", "c"), FREE)
    assert why.never
    assert names(why.chain) == ["a", "b", "c"]
    assert names(why.causes) == ["c", "d"]
    assert why.headline == "Will not run in this run: “c” failed (and 1 more cause)."
    assert [(r.kind, r.task_id, r.depends_on) for r in why.remedies] == [
        (RemedyKind.RERUN, "c", None),
        (RemedyKind.RERUN, "d", None),
        (RemedyKind.MAKE_OPTIONAL, "b", "c"),
    ]


def test_a_required_dependency_outside_the_run_blocks():
    tasks = by_id(task("a", blocked_by="b"), task("b", in_run=False))
    why = why_waiting("a", tasks, needs("a", "b"), FREE)
    assert [link.relation for link in why.chain] == [Relation.BLOCKED_BY, Relation.NOT_IN_RUN]


def slots(*, ready=(), running=("x", "y")):
    held = tuple(Running(n, n, True, NOW + timedelta(seconds=i)) for i, n in enumerate(running))
    return Slots(2, 1, (*held[::-1], Running("z", "z", False, NOW)), tuple(ready))


def queued(name, priority=2, second=0, *, isolated=True):
    return Queued(name, priority, NOW + timedelta(seconds=second), 1, 0, isolated)


def test_a_ready_task_sees_who_is_ahead_and_who_holds_the_slots():
    waiting = [queued("a", 2, 5), queued("b", 0, 9), queued("c", 2, 1), queued("d", 3), queued("e", 0, isolated=False)]
    why = why_waiting("a", by_id(task("a", ready_at=NOW)), [], slots(ready=waiting))
    assert why.chain[0].relation == Relation.SLOT
    assert (why.queue.ahead, why.queue.ahead_higher, why.queue.used, why.queue.total) == (2, 1, 2, 2)
    assert [holder.name for holder in why.queue.holders] == ["x", "y"]
    assert "2 tasks ahead, 1 of them with a higher priority, 2 of 2 process slots taken" in why.headline
    assert [(r.kind, r.task_id) for r in why.remedies] == [(RemedyKind.CANCEL, "x")]


def test_a_limit_that_is_reached_is_named_before_the_slots():
    held = (Running("x", "x", True, NOW, "http", 1), Running("y", "y", True, NOW, "noop", 7))
    ready = (queued("a"), replace(queued("b", 0), executor="noop", run=2), replace(queued("c", 0), executor="http"))
    ready = (replace(ready[0], executor="noop"), *ready[1:])
    fact = by_id(task("a", ready_at=NOW))
    bound = why_waiting("a", fact, [], Slots(9, 9, held, ready, {"noop": 1})).queue
    assert (bound.ahead, [h.name for h in bound.holders]) == (1, ["y"])
    assert bound.text.endswith("1 of 1 place for “noop” taken")
    bound = why_waiting("a", fact, [], Slots(9, 9, held, ready, run_limit=1)).queue
    assert (bound.ahead, [h.name for h in bound.holders]) == (1, ["x"])
    assert bound.text.endswith("1 of 1 place of this tree taken")


def test_ageing_lets_the_longest_waiting_go_first():
    waiting = (queued("a", 2, 5), queued("b", 0, 600))
    fact = by_id(task("a", ready_at=NOW))
    assert why_waiting("a", fact, [], Slots(1, 1, (), waiting, ageing_s=60)).queue.ahead == 0
    assert why_waiting("a", fact, [], Slots(1, 1, (), waiting)).queue.ahead == 1


def test_a_hidden_holder_is_counted_but_not_offered():
    held = slots(ready=[queued("a")], running=())
    hidden = Running(None, "a task of another user", True, NOW)
    why = why_waiting("a", by_id(task("a", ready_at=NOW)), [], Slots(1, 1, (*held.running, hidden), held.ready))
    assert (why.queue.used, why.remedies) == (1, ())


def test_without_an_engine_the_remedy_is_to_start_one():
    why = why_waiting("a", by_id(task("a", ready_at=NOW)), [], Slots())
    assert "no engine is alive" in why.headline
    assert [r.kind for r in why.remedies] == [RemedyKind.START_ENGINE]


@pytest.mark.parametrize(
    ("fact", "relation"),
    [
        (task("a", retry_at=NOW), Relation.BACK_OFF),
        (task("a"), Relation.ENGINE),
        (task("a", Status.IN_PROGRESS, stop_requested_at=NOW), Relation.STOPPING),
        (task("a", Status.COMPLETED), Relation.COMPLETED),
        (task("a", Status.CANCELLED), Relation.CANCELLED),
        (task("a", active=False), Relation.NOT_IN_RUN),
        (task("a", blocked_by="gone"), Relation.BLOCKED_BY),
    ],
)
def test_a_task_that_waits_for_no_other_says_what_it_does(fact, relation):
    why = why_waiting("a", by_id(fact), [], FREE)
    assert [link.relation for link in why.chain] == [relation]
    assert why.headline.endswith(".")


def test_a_long_chain_is_cut_in_the_middle():
    count = 10_000
    tasks = by_id(*(task(str(n)) for n in range(count)), task("end", Status.IN_PROGRESS, started_at=NOW))
    chain = [EdgeFact(str(n), str(n + 1)) for n in range(count - 1)] + needs(str(count - 1), "end")
    why = why_waiting("0", tasks, chain, FREE)
    assert (len(why.chain), why.hidden) == (20, count + 1 - 20)
    assert (why.chain[0].name, why.chain[-1].name) == ("0", "end")


def test_many_causes_are_counted():
    tasks = by_id(task("a"), *(task(f"t{n}", Status.IN_PROGRESS) for n in range(50)))
    why = why_waiting("a", tasks, needs("a", *(f"t{n}" for n in range(50))), FREE)
    assert (len(why.siblings), why.siblings_total, len(why.causes), why.causes_total) == (20, 49, 20, 50)


def test_hostile_names_stay_on_one_short_line():
    why = why_waiting("a", by_id(task("a", Status.FAILED).__class__("a", "x\n" * 500, Status.FAILED)), [], FREE)
    assert "\n" not in why.headline
    assert len(why.headline) < 100


def test_verdicts_in_words():
    tasks = by_id(
        task("a", Status.COMPLETED),
        task("done", Status.COMPLETED),
        task("bad", Status.FAILED),
        task("stuck", blocked_by="bad"),
        task("old", Status.COMPLETED, in_run=False, run_number=3),
        task("busy", Status.IN_PROGRESS),
        task("link", Status.COMPLETED, linked=True, in_run=False),
    )
    edges = needs("a", "done", "old", "busy", "bad", "link") + needs("a", "bad", "stuck", required=False)
    assert [(v.verdict, v.words) for v in edge_verdicts(tasks, edges)] == [
        (Verdict.SATISFIED, "completed, result used"),
        (Verdict.REUSED, "completed earlier, result of run #3 reused"),
        (Verdict.PENDING, "still running"),
        (Verdict.UNMET, "failed, so this cannot run"),
        (Verdict.REUSED, "a link, its original's result is reused"),
        (Verdict.IGNORED, "failed, ignored because optional"),
        (Verdict.IGNORED, "blocked, ignored because optional"),
    ]


def test_causes_by_damage_and_every_cause_counts_what_it_blocks():
    tasks = by_id(
        task("x", Status.FAILED, error="boom", completed_at=NOW),
        task("y", Status.CANCELLED, completed_at=NOW, position=1),
        task("lone", Status.FAILED, completed_at=NOW),
        task("a", blocked_by="y"),
        task("b", blocked_by="a"),
        task("c", Status.CANCELLED, blocked_by="b", completed_at=NOW),
        task("ok", Status.COMPLETED),
    )
    edges = needs("a", "x", "y") + needs("b", "a") + needs("c", "b", "x") + needs("ok", "lone", required=False)
    causes = root_causes(tasks, edges + needs("y", "ok"))
    assert [(c.name, c.blocked, c.names, c.handled) for c in causes] == [
        ("x", 3, ("a", "b", "c"), False),
        ("y", 3, ("a", "b", "c"), False),
        ("lone", 0, (), True),
    ]
    assert causes[0].error == "boom"


def test_many_causes_each_have_their_own_damage():
    tasks = by_id(
        *(task(f"f{n}", Status.FAILED) for n in range(100)), *(task(f"b{n}", blocked_by=f"f{n}") for n in range(100))
    )
    causes = root_causes(tasks, [e for n in range(100) for e in needs(f"b{n}", f"f{n}")])
    assert [c.blocked for c in causes] == [1] * 100


def test_provenance_in_words():
    found = provenance_words(
        {
            "a": {"source": "declared", "shadows": [{"source": "dependency", "task": "0-1", "path": "a"}]},
            "b": {"source": "override"},
            "c": {"source": "dependency", "task": "0-1", "path": "items.0"},
            "d": {"source": "dependency", "task": "9", "path": ""},
            "e": "nonsense",
        },
        {"01": "fetch"},
    )
    assert [o.words for o in found] == [
        "declared; shadows: from “fetch” → result.a",
        "override of this run",
        "from “fetch” → result.items.0",
        "from a deleted task → result",
        "of unknown origin",
    ]
    assert found[2].task == "01"


@st.composite
def states(draw):
    """A run in some legal state: what is blocked is blocked by an unmet dependency."""
    count = draw(st.integers(1, 12))
    edges, tasks = [], {}
    for n in range(count):
        for other in draw(st.sets(st.integers(0, n - 1), max_size=3)) if n else ():
            edges.append(EdgeFact(str(n), str(other), draw(st.booleans())))
        own = [e for e in edges if e.task == str(n)]
        probe = {**tasks, str(n): task(str(n))}
        by = next((e.depends_on for e in own if blocks(e, probe)), None)
        waiting = any(fate(tasks[e.depends_on]) == Fate.OPEN for e in own)
        if by is not None:
            tasks[str(n)] = task(str(n), blocked_by=by)
        elif waiting:
            tasks[str(n)] = task(str(n))
        else:
            tasks[str(n)] = draw(
                st.sampled_from(
                    [task(str(n), s) for s in Status] + [task(str(n), ready_at=NOW), task(str(n), retry_at=NOW)]
                )
            )
    return tasks, edges


@settings(deadline=None)
@given(states())
def test_every_chain_ends_at_a_task_that_waits_for_no_other(state):
    tasks, edges = state
    pairs = {(e.task, e.depends_on, e.required) for e in edges}
    for task_id in tasks:
        why = why_waiting(task_id, tasks, edges, FREE)
        assert why.chain[-1].relation not in (Relation.WAITS_FOR, Relation.BLOCKED_BY)
        assert all(c.relation not in (Relation.WAITS_FOR, Relation.BLOCKED_BY) for c in why.causes)
        assert why.never == (fate(tasks[task_id]) == Fate.BLOCKED)
        assert all((a.task, b.task, a.required) in pairs for a, b in zip(why.chain, why.chain[1:], strict=False))


@settings(deadline=None)
@given(states())
def test_every_blocked_task_counts_at_a_cause(state):
    tasks, edges = state
    causes = root_causes(tasks, edges)
    blocked = {t for t, fact in tasks.items() if fate(fact) == Fate.BLOCKED}
    assert {name for cause in causes for name in cause.names} == blocked
    assert not blocked & {cause.task for cause in causes}
