from __future__ import annotations

from django.db import migrations

from orchestration import guards


class Migration(migrations.Migration):
    """Triggers that keep ended tasks, attempts, events, runs and archives as they are (orchestration/guards.py).

    Trap: on SQLite a later migration that rebuilds a table (AlterField, AddConstraint, ...) drops its triggers without
    a word. End such a migration with the operation below; it can be repeated.
    """

    dependencies = [("orchestration", "0002_roles")]

    operations = [migrations.RunPython(guards.install_all, guards.uninstall_all)]
