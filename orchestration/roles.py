"""The three roles as Django groups: viewer sees, operator builds and runs, admin also manages users."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps

SEEN = ("tree", "task", "dependency", "run", "attempt", "event", "treeshare", "worker")
BUILT = ("tree", "task", "dependency", "treeshare")
WRITE = ("add", "change", "delete")

VIEWER = [("orchestration", model, "view") for model in SEEN]
OPERATOR = [
    *VIEWER,
    ("orchestration", "secret", "view"),
    *[("orchestration", "secret", action) for action in WRITE],
    *[("orchestration", model, action) for model in BUILT for action in WRITE],
    ("orchestration", "tree", "run"),
]
ADMIN = [*OPERATOR, *[("auth", model, action) for model in ("user", "group") for action in ("view", *WRITE)]]
ROLES = {"viewer": VIEWER, "operator": OPERATOR, "admin": ADMIN}

RUN_TREE_NAME = "Can run, cancel and re-execute trees"


def roles_install(apps: Apps) -> None:
    """Groups viewer, operator and admin with their permissions; *apps* is a migration's registry or the real one.

    Effects: creates what is missing (permissions too: Django makes them only after the last migration) and takes
    nothing away, so permissions that an administrator has added stay. A few queries, however many rights there are.
    """
    group_model = apps.get_model("auth", "Group")
    permissions = _permissions(apps)
    for name, rights in ROLES.items():
        group, _ = group_model.objects.get_or_create(name=name)
        group.permissions.add(*[permissions[right] for right in rights if right in permissions])


def roles_remove(apps: Apps) -> None:
    """Delete the three groups (their members stay)."""
    apps.get_model("auth", "Group").objects.filter(name__in=list(ROLES)).delete()


def _permissions(apps: Apps) -> dict[tuple[str, str, str], Any]:
    """Right -> permission of everything that a role has; an early migration knows no model of a later one."""
    every = {right for rights in ROLES.values() for right in rights}
    wanted = sorted(right for right in every if right[1] in apps.all_models[right[0]])
    content_types, permissions = apps.get_model("contenttypes", "ContentType"), apps.get_model("auth", "Permission")
    types = {(one.app_label, one.model): one for one in content_types.objects.all()}
    for app_label, model in {right[:2] for right in wanted} - types.keys():
        types[app_label, model], _ = content_types.objects.get_or_create(app_label=app_label, model=model)
    keys = {right: (types[right[:2]].pk, f"{right[2]}_{right[1]}") for right in wanted}
    missing = set(keys.values()) - _by_key(permissions).keys()
    made = [
        permissions(content_type_id=key[0], codename=key[1], name=_name(apps, *right))
        for right, key in keys.items()
        if key in missing
    ]
    permissions.objects.bulk_create(made, ignore_conflicts=True)  # another process may do the same
    known = _by_key(permissions)
    return {right: known[key] for right, key in keys.items()}


def _by_key(permissions: Any) -> dict[tuple[int, str], Any]:
    return {(one.content_type_id, one.codename): one for one in permissions.objects.all()}


def _name(apps: Apps, app_label: str, model: str, action: str) -> str:
    return RUN_TREE_NAME if action == "run" else f"Can {action} {_verbose(app_label, model, apps)}"


def _verbose(app_label: str, model: str, apps: Apps) -> str:
    return str(apps.get_model(app_label, model)._meta.verbose_name_raw)
