"""Plain makers of users and trees, with visible defaults."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group, Permission, User

from orchestration.builders.array import tree_from_array
from orchestration.models import Task, Tree
from orchestration.roles import ROLES, roles_install


def make_user(name: str = "ann", *, role: str | None = "operator", **fields: Any) -> User:
    """A user with the password "secret"; *role*: viewer, operator, admin or None."""
    user = User.objects.filter(username=name).first() or User.objects.create_user(name, password="secret", **fields)
    if role is not None:
        assert role in ROLES
        if not Group.objects.filter(name=role).exists():
            roles_install(apps)
        user.groups.set([Group.objects.get(name=role)])
    return User.objects.get(pk=user.pk)  # without cached permissions


def grant(user: User, *rights: str) -> User:
    """*user*, who has *rights* (codenames such as use_shell) from now on."""
    user.user_permissions.add(*Permission.objects.filter(content_type__app_label="orchestration", codename__in=rights))
    return User.objects.get(pk=user.pk)


def task(
    name: str,
    *,
    after: list[str] | tuple[str, ...] = (),
    optional: list[str] | tuple[str, ...] = (),
    parent: str | None = None,
    executor: str = "noop",
    priority: int = 2,
    inputs: dict[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """One task for `make_tree`: waits for *after* (required) and *optional*, by name. executor="" makes a group."""
    edges = [{"name": a, "required": True} for a in after] + [{"name": o, "required": False} for o in optional]
    return {
        "name": name,
        "parent_id": parent,
        "executor": executor,
        "priority": priority,
        "inputs": inputs or {},
        "dependencies": edges,
        **fields,
    }


def make_tree(*tasks: dict[str, Any], owner: User | None = None, labels: tuple[str, ...] = ()) -> Tree:
    """A stored tree. The first task is the root: tasks without parent go under it. Without tasks: one no-op."""
    items = [dict(t) for t in tasks] or [task("root")]
    for item in items[1:]:
        if item.get("parent_id") is None:
            item["parent_id"] = items[0].get("id") or items[0]["name"]
    return tree_from_array(owner=owner or make_user(), data=items, labels=labels)


def task_named(tree: Tree, name: str) -> Task:
    """The one task of *tree* with that name."""
    return Task.objects.get(tree=tree, name=name)
