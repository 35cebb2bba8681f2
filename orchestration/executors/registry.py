"""Which executors there are: built-in ones at once, others as their `executors.py` modules are imported."""

from __future__ import annotations

import difflib

from orchestration.domain.errors import OrchestrationError
from orchestration.executors.base import Executor
from orchestration.executors.builtin import BUILTINS


class UnknownExecutor(OrchestrationError):
    """There is no executor of that name."""

    code = "unknown_executor"


_executors: dict[str, Executor] = {}  # by id
_names: dict[str, str] = {}  # id or alias -> id


def register(executor: Executor) -> None:
    """Make *executor* known by its id and aliases. Raises ValueError when one of these names is taken."""
    names = (executor.id, *executor.aliases)
    if not executor.id or not isinstance(executor.id, str):
        raise ValueError(f"{type(executor).__name__}: an executor needs an id (text)")
    for name in names:
        if name in _names:
            other = type(_executors[_names[name]])
            raise ValueError(
                f"executor '{name}' is registered already by {other.__module__}.{other.__qualname__}: choose another id"
            )
    _executors[executor.id] = executor
    _names.update(dict.fromkeys(names, executor.id))


def unregister(executor_id: str) -> None:
    """Forget an executor and its aliases; nothing happens when there is none. For tests and reloads."""
    if _executors.pop(executor_id, None):
        for name in [name for name, owner in _names.items() if owner == executor_id]:
            del _names[name]


def find(id_or_alias: str) -> Executor | None:
    """The executor of that id or alias, or None."""
    return _executors.get(_names.get(id_or_alias, ""))


def get(id_or_alias: str) -> Executor:
    """The executor of that id or alias. Raises UnknownExecutor, naming the likeliest one."""
    found = find(id_or_alias)
    if found is None:
        close = difflib.get_close_matches(str(id_or_alias)[:100], _names, n=1)
        hint = f": did you mean '{close[0]}'?" if close else f": there are {', '.join(sorted(_executors))}"
        raise UnknownExecutor(f"there is no executor '{str(id_or_alias)[:100]}'{hint}", field="executor")
    return found


def canonical_id(id_or_alias: str) -> str:
    """The id that *id_or_alias* stands for. Raises UnknownExecutor."""
    return get(id_or_alias).id


def is_isolated(id_or_alias: str) -> bool:
    """Whether its attempts take a process each; so would those of an executor that is not here."""
    found = find(id_or_alias)
    return found is None or found.isolated


def all_executors() -> list[Executor]:
    """Every executor, by id."""
    return [_executors[key] for key in sorted(_executors)]


for _builtin in BUILTINS:
    register(_builtin())
