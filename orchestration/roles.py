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
    *[("orchestration", model, action) for model in BUILT for action in WRITE],
    ("orchestration", "tree", "run"),
]
ADMIN = [*OPERATOR, *[("auth", model, action) for model in ("user", "group") for action in ("view", *WRITE)]]
ROLES = {"viewer": VIEWER, "operator": OPERATOR, "admin": ADMIN}

RUN_TREE_NAME = "Can run, cancel and re-execute trees"


def roles_install(apps: Apps) -> None:
    """Groups viewer, operator and admin with their permissions; *apps* is a migration's registry or the real one.

    Effects: creates what is missing (permissions too: Django makes them only after the last migration) and takes
    nothing away, so permissions that an administrator has added stay.
    """
    group_model = apps.get_model("auth", "Group")
    for name, rights in ROLES.items():
        group, _ = group_model.objects.get_or_create(name=name)
        group.permissions.add(*[_permission(apps, *right) for right in rights])


def roles_remove(apps: Apps) -> None:
    """Delete the three groups (their members stay)."""
    apps.get_model("auth", "Group").objects.filter(name__in=list(ROLES)).delete()


def _permission(apps: Apps, app_label: str, model: str, action: str) -> Any:
    content_types = apps.get_model("contenttypes", "ContentType").objects
    content_type, _ = content_types.get_or_create(app_label=app_label, model=model)
    name = RUN_TREE_NAME if action == "run" else f"Can {action} {_verbose(app_label, model, apps)}"
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type, codename=f"{action}_{model}", defaults={"name": name}
    )
    return permission


def _verbose(app_label: str, model: str, apps: Apps) -> str:
    return str(apps.get_model(app_label, model)._meta.verbose_name_raw)
