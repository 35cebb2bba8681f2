"""What the tasks that one step claims need beside themselves: results, their owners' rights, sealed secrets."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from orchestration.domain.merging import DEPENDENCY
from orchestration.domain.rights import Rights
from orchestration.domain.runstate import RunState
from orchestration.domain.secrets import MARK, SecretMissing, names_in
from orchestration.domain.taskstate import TaskState
from orchestration.domain.work import DependencyResult
from orchestration.driver import data_version
from orchestration.selectors.rights import rights_of
from orchestration.selectors.secrets import Sealed, sealed_of
from orchestration.services.transitions_load import parse

type Picked = Collection[tuple[RunState, TaskState]]


@dataclass(slots=True)
class KnownRights:
    """Owner id -> what the rows say, read once. *lasting*: for more than one step, which is right only on a connection
    of SQLite that writes no users itself: whatever another one commits makes it read again."""

    lasting: bool = False
    of: dict[int | None, Rights] = field(default_factory=dict)
    _version: tuple[object, int] | None = None

    def look_up(self, owners: set[int | None]) -> None:
        """Have the rights of *owners*. In the transaction of the claim. Queries: 0 or 1."""
        if self.lasting and self._version != (version := data_version()):
            self.of, self._version = {}, version
        if unknown := owners - self.of.keys():
            self.of |= rights_of(unknown)


@dataclass(slots=True)
class Means:
    """Of one step: an owner is asked about once, a secret read once, whatever the number of tasks."""

    known: KnownRights = field(default_factory=KnownRights)
    results: dict[tuple[str, bool], DependencyResult] = field(default_factory=dict)  # (task id, required) -> as seen
    sealed: Sealed = field(default_factory=dict)

    def look_up(self, picked: Picked) -> None:
        """Read the rights and secrets of *picked* that are not known yet. Queries: 0 to 2."""
        self.known.look_up({state.owner_id for state, _ in picked})
        wanted = {(state.owner_id, name) for state, task in picked for name in _names(task)}
        if wanted := wanted - self.sealed.keys():
            self.sealed |= sealed_of(wanted)


def _names(task: TaskState) -> set[str]:
    if not (MARK in task.inputs or MARK in task.params or task.override_inputs):
        return set()
    return names_in([parse(task.inputs), parse(task.params), task.override_inputs])


def own_inputs(inputs: dict[str, Any], provenance: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The part of *inputs* in which references count: a dependency's result must not be able to ask for a secret."""
    return {key: value for key, value in inputs.items() if provenance.get(key, {}).get("source") != DEPENDENCY}


def sealed_for(owner_id: int | None, values: Any, known: Sealed) -> dict[str, str]:
    """Name -> sealed value, for all that *values* refer to. Raises SecretMissing, naming those that are not set."""
    names = sorted(names_in(values))
    missing = [name for name in names if not known.get((owner_id, name))]
    if missing:
        listed = ", ".join(f"'{name}'" for name in missing[:10])
        raise SecretMissing(f"the owner of this tree has no secret {listed}: set it on the page Secrets, or by the API")
    return {name: known[owner_id, name] for name in names}
