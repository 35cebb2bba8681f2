"""Drafts of trees: kept after every edit, with undo and redo, until they are saved or discarded."""

from __future__ import annotations

import json

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from orchestration.domain.errors import Conflict, NotFound
from orchestration.domain.json_gate import safe_text
from orchestration.domain.outline_edit import Array
from orchestration.models import DraftStep, Tree, TreeDraft
from orchestration.selectors.access import require_create, tree_for_write
from orchestration.services.locking import lock_tree

MAX_STEPS = 50
MIN_STEPS = 5
MAX_HISTORY_BYTES = 8_000_000  # of all steps of one draft; a large tree has fewer
MAX_DRAFTS = 20  # new trees of one person; the oldest give way
MAX_WHAT = 200


def drafts_of(user: User) -> list[TreeDraft]:
    """The drafts of *user* that hold unsaved edits or a new tree, newest first, without their steps."""
    mine = TreeDraft.objects.filter(owner=user).select_related("tree").order_by("-updated_at")
    return [draft for draft in mine if draft.tree_id is None or draft.step > 0]


def draft_for(user: User, draft_id: int, *, lock: bool = False) -> TreeDraft:
    """The draft of *user*. Raises NotFound, whoever else owns it. *lock*: until the transaction ends."""
    drafts = TreeDraft.objects.filter(owner=user, pk=draft_id)
    if lock:
        if tree_id := drafts.values_list("tree_id", flat=True).first():
            lock_tree(tree_id)
        drafts = drafts.select_for_update(of=("self",))
    draft = drafts.select_related("tree").first()
    if draft is None:
        raise NotFound("there is no such draft: it may be saved or discarded already")
    return draft


@transaction.atomic
def draft_start(*, user: User, array: Array, what: str = "") -> TreeDraft:
    """A draft of a new tree that begins as *array*. Raises Forbidden. Effects: a very old draft gives way."""
    require_create(user)
    old = TreeDraft.objects.filter(owner=user, tree=None).order_by("-updated_at").values_list("pk", flat=True)
    TreeDraft.objects.filter(pk__in=list(old[MAX_DRAFTS - 1 :])).delete()
    return _store(user, None, array, what)


@transaction.atomic
def draft_of_tree(*, user: User, tree_id: int, array: Array) -> TreeDraft:
    """The draft of *user* for the tree: the one that was kept, else one that begins as *array*, what is stored now.

    Raises NotFound, Forbidden, Conflict (archived). A draft without edits follows the tree.
    """
    tree = tree_for_write(user, tree_id)
    lock_tree(tree.pk)
    if tree.archived_at is not None:
        raise Conflict(f"'{tree.name}' is archived and frozen: copy it to get one that you can change", code="archived")
    kept = TreeDraft.objects.filter(owner=user, tree=tree).select_related("tree").first()
    if kept is not None and (kept.step > 0 or kept.base_version == tree.version):
        return kept
    if kept is not None:
        kept.delete()
    return _store(user, tree, array, "")


def _store(user: User, tree: Tree | None, array: Array, what: str) -> TreeDraft:
    now = timezone.now()
    version = tree.version if tree else 0
    draft = TreeDraft.objects.create(owner=user, tree=tree, base_version=version, created_at=now, updated_at=now)
    DraftStep.objects.create(draft=draft, number=0, what=what[:MAX_WHAT], array=array)
    return draft


def draft_array(draft: TreeDraft) -> Array:
    """The tasks as they are now."""
    array: Array = DraftStep.objects.values_list("array", flat=True).get(draft=draft, number=draft.step)
    return array


def draft_around(draft: TreeDraft) -> tuple[str, str]:
    """What undo would take back and redo would do again, in words; "" for nothing."""
    near = DraftStep.objects.filter(draft=draft, number__in=[draft.step - 1, draft.step, draft.step + 1])
    words = dict(near.values_list("number", "what"))
    undo = words.get(draft.step, "") or "the last edit" if draft.step - 1 in words else ""
    redo = words[draft.step + 1] or "the next edit" if draft.step + 1 in words else ""
    return undo, redo


@transaction.atomic
def draft_edit(draft: TreeDraft, array: Array, what: str) -> None:
    """One more step, *what* in words; what was undone before is forgotten. Nothing happens when nothing changes."""
    if array == draft_array(draft):
        return
    steps = DraftStep.objects.filter(draft=draft)
    steps.filter(number__gt=draft.step).delete()
    draft.step += 1
    DraftStep.objects.create(draft=draft, number=draft.step, what=safe_text(what, MAX_WHAT), array=array)
    steps.filter(number__lte=draft.step - _room(array)).delete()
    _touch(draft)


def _room(array: Array) -> int:
    size = len(json.dumps(array, separators=(",", ":")))
    return max(MIN_STEPS, min(MAX_STEPS, MAX_HISTORY_BYTES // max(1, size)))


@transaction.atomic
def draft_shift(draft: TreeDraft, by: int) -> bool:
    """Undo (-1) or redo (1); False when there is nothing to."""
    if not DraftStep.objects.filter(draft=draft, number=draft.step + by).exists():
        return False
    draft.step += by
    _touch(draft)
    return True


def _touch(draft: TreeDraft) -> None:
    draft.updated_at = timezone.now()
    draft.save(update_fields=["step", "updated_at"])


def draft_discard(*, user: User, draft_id: int) -> TreeDraft:
    """The draft that is gone. Raises NotFound."""
    draft = draft_for(user, draft_id)
    TreeDraft.objects.filter(pk=draft.pk).delete()
    return draft
