from __future__ import annotations

from django.db import migrations

from orchestration.roles import roles_install, roles_remove


def install(apps, schema_editor):
    roles_install(apps)


def remove(apps, schema_editor):
    roles_remove(apps)


class Migration(migrations.Migration):
    """The groups viewer, operator and admin."""

    dependencies = [
        ("orchestration", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(install, remove)]
