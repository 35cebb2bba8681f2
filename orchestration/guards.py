"""Database triggers: what no code path, no admin and no SQL console may do to the record of what happened.

SQLite drops a table's triggers when a migration rebuilds it (most changes of a column or constraint do): a migration
that alters task, dependency, attempt, event or run must end with `RunPython(guards.install_all, ...)`, see
migrations/0003_guards.py. The system check `orchestration.W001` reports what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestration.domain.states import TERMINAL, TRANSITIONS, Status

TASK, DEPENDENCY, ATTEMPT = "orchestration_task", "orchestration_dependency", "orchestration_attempt"
EVENT, RUN = "orchestration_event", "orchestration_run"
AUDIT, AUDIT_HEAD = "orchestration_auditentry", "orchestration_audithead"
TABLES = (TASK, DEPENDENCY, ATTEMPT, EVENT, RUN, AUDIT, AUDIT_HEAD)
APPEND_ONLY = "the audit log is append-only"

# a group ends, and a task with unusable inputs fails, in one step: neither is ever in progress
IN_ONE_STEP = frozenset({Status.COMPLETED, Status.FAILED})
ENDED = "(" + ", ".join(sorted(f"'{s.value}'" for s in TERMINAL)) + ")"


@dataclass(frozen=True, slots=True)
class Guard:
    """One trigger: on *event* of *table*, when *condition* holds, refuse with the first fitting of *refusals*."""

    name: str
    table: str
    event: str  # INSERT, UPDATE or DELETE
    refusals: tuple[tuple[str, str], ...]  # (SQL condition, text)
    columns: tuple[str, ...] = ()  # UPDATE OF these; () = any
    columns_except: tuple[str, ...] = ()  # UPDATE OF all but these
    condition: str = ""  # cheap test on OLD and NEW, before the refusals


def _task_refusals() -> tuple[tuple[str, str], ...]:
    pairs = [(old, new) for old in Status for new in Status if old != new and new not in _allowed(old)]
    return tuple(
        (f"OLD.status = '{old}' AND NEW.status = '{new}'", _refusal(old, new))  # both from the enum
        for old, new in pairs
    )


def _allowed(old: Status) -> frozenset[Status]:
    return TRANSITIONS[old] | IN_ONE_STEP if old == Status.PENDING else TRANSITIONS[old]


def _refusal(old: Status, new: Status) -> str:
    if old not in TERMINAL:
        return f"illegal change: task cannot go from {old} to {new}"
    remedy = " within its run: start a new run" if new == Status.PENDING else ""
    return f"terminal is final: task cannot go from {old} to {new}{remedy}"


NEW_RUN = f"(OLD.status IN {ENDED} AND NEW.status = 'pending' AND NEW.run_id {{differs}} OLD.run_id)"
LEGAL = " OR ".join(
    [f"(OLD.status = '{old}' AND NEW.status = '{new}')" for old in Status for new in sorted(_allowed(old))] + [NEW_RUN]
)
PEOPLE = ("started_by_id", "cancelled_by_id")
FROZEN = "an archive is frozen: copy it to change it"


def _archived(tasks: str) -> str:
    of_tree = f"tree.id = {tasks} AND tree.archived_at IS NOT NULL"
    return f"EXISTS (SELECT 1 FROM orchestration_tree AS tree WHERE {of_tree})"  # noqa: S608  (from constants)


OF_TASK = _archived("OLD.tree_id")  # or of a run
OF_DEPENDENCY = _archived("(SELECT task.tree_id FROM orchestration_task AS task WHERE task.id = OLD.task_id)")
OF_ATTEMPT = OF_DEPENDENCY  # its task's tree as well
TO_TREE = _archived("NEW.tree_id")
TO_TASK = _archived("(SELECT task.tree_id FROM orchestration_task AS task WHERE task.id = NEW.task_id)")

GUARDS = (
    Guard(
        "guard_task_status",
        TASK,
        "UPDATE",
        _task_refusals(),
        columns=("status",),
        condition=f"OLD.status <> NEW.status AND NOT ({LEGAL})",
    ),
    Guard(
        "guard_attempt_ended",
        ATTEMPT,
        "UPDATE",
        (("1 = 1", "terminal is final: the attempt has ended"),),
        columns_except=("lease_expires_at",),
        condition=f"OLD.status IN {ENDED}",
    ),
    Guard(
        "guard_attempt_identity",
        ATTEMPT,
        "UPDATE",
        (("1 = 1", "an attempt keeps its number, task and run"),),
        columns=("number", "task_id", "run_id"),
        condition=" OR ".join(f"NEW.{c} {{differs}} OLD.{c}" for c in ("number", "task_id", "run_id")),
    ),
    Guard("guard_event", EVENT, "UPDATE", (("1 = 1", "events are append-only"),)),
    Guard(
        "guard_run_status",
        RUN,
        "UPDATE",
        (("1 = 1", "terminal is final: the run has ended"),),
        columns=("status",),
        condition=f"OLD.status <> NEW.status AND OLD.status IN {ENDED}",
    ),
    # original_id is free: the database sets it to NULL when the original is deleted
    Guard("guard_archive_task_update", TASK, "UPDATE", ((OF_TASK, FROZEN),), columns_except=("original_id",)),
    Guard("guard_archive_task_delete", TASK, "DELETE", ((OF_TASK, FROZEN),)),
    Guard("guard_archive_dependency_update", DEPENDENCY, "UPDATE", ((OF_DEPENDENCY, FROZEN),)),
    Guard("guard_archive_dependency_delete", DEPENDENCY, "DELETE", ((OF_DEPENDENCY, FROZEN),)),
    Guard("guard_archive_attempt_delete", ATTEMPT, "DELETE", ((OF_ATTEMPT, FROZEN),)),
    # people are free: Django sets them to NULL when their account is deleted
    Guard("guard_archive_run_update", RUN, "UPDATE", ((OF_TASK, FROZEN),), columns_except=PEOPLE),
    Guard("guard_archive_run_delete", RUN, "DELETE", ((OF_TASK, FROZEN),)),
    # an archive is filled first and frozen at last
    Guard("guard_archive_task_insert", TASK, "INSERT", ((TO_TREE, FROZEN),)),
    Guard("guard_archive_dependency_insert", DEPENDENCY, "INSERT", ((TO_TASK, FROZEN),)),
    Guard("guard_archive_run_insert", RUN, "INSERT", ((TO_TREE, FROZEN),)),
    Guard("guard_audit_update", AUDIT, "UPDATE", (("1 = 1", APPEND_ONLY),)),
    Guard("guard_audit_delete", AUDIT, "DELETE", (("1 = 1", APPEND_ONLY),)),
    Guard(
        "guard_audit_head_update", AUDIT_HEAD, "UPDATE", (("1 = 1", APPEND_ONLY),), condition="NEW.seq <> OLD.seq + 1"
    ),
    Guard("guard_audit_head_delete", AUDIT_HEAD, "DELETE", (("1 = 1", APPEND_ONLY),)),
)


def install(connection: Any) -> None:
    """All guards are in the database of *connection*, in their present wording. Can be repeated.

    Guards of tables that a later migration adds are left out: that one installs them.
    """
    uninstall(connection)
    tables = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for guard in GUARDS:
            for statement in _create(connection, guard) if guard.table in tables else ():
                cursor.execute(statement)


def uninstall(connection: Any) -> None:
    """No guard is in the database of *connection*."""
    tables = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for guard in GUARDS:
            if guard.table not in tables:
                continue
            if connection.vendor == "postgresql":
                cursor.execute(f"DROP TRIGGER IF EXISTS {guard.name} ON {guard.table}")
                cursor.execute(f"DROP FUNCTION IF EXISTS {guard.name}()")
            else:
                cursor.execute(f"DROP TRIGGER IF EXISTS {guard.name}")


def missing(connection: Any) -> list[str]:
    """Names of the guards that the database of *connection* lacks, or of all if it has none of the tables."""
    if connection.vendor == "postgresql":
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    else:
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    with connection.cursor() as cursor:
        cursor.execute(query)
        present = {row[0] for row in cursor.fetchall()}
    return [guard.name for guard in GUARDS if guard.name not in present]


def install_all(apps: Any, schema_editor: Any) -> None:
    """`install` as an operation of a migration."""
    install(schema_editor.connection)


def uninstall_all(apps: Any, schema_editor: Any) -> None:
    """`uninstall` as an operation of a migration."""
    uninstall(schema_editor.connection)


def _create(connection: Any, guard: Guard) -> list[str]:
    trigger = f"CREATE TRIGGER {guard.name} BEFORE {_event(connection, guard)} ON {guard.table} FOR EACH ROW"
    if connection.vendor == "postgresql":
        differs = "IS DISTINCT FROM"
        checks = "".join(
            f"IF {when} THEN RAISE EXCEPTION '{text}' USING ERRCODE = 'check_violation'; END IF; "
            for when, text in guard.refusals
        )
        row = "OLD" if guard.event == "DELETE" else "NEW"
        function = (
            f"CREATE FUNCTION {guard.name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$guard$ BEGIN {checks}RETURN {row}; END $guard$"
        )
        statements = [function, f"{trigger}{_when(guard, differs)} EXECUTE FUNCTION {guard.name}()"]
    else:
        # RAISE takes a literal only, before SQLite 3.47: so one statement per text
        checks = " ".join(f"SELECT RAISE(ABORT, '{text}') WHERE {when};" for when, text in guard.refusals)
        statements = [f"{trigger}{_when(guard, 'IS NOT')} BEGIN {checks} END"]
    return statements


def _when(guard: Guard, differs: str) -> str:
    return f" WHEN ({guard.condition.format(differs=differs)})" if guard.condition else ""


def _event(connection: Any, guard: Guard) -> str:
    columns = guard.columns
    if guard.columns_except:
        with connection.cursor() as cursor:
            described = connection.introspection.get_table_description(cursor, guard.table)
        columns = tuple(column.name for column in described if column.name not in guard.columns_except)
    if not columns:
        return guard.event
    return f"{guard.event} OF " + ", ".join(connection.ops.quote_name(column) for column in columns)
