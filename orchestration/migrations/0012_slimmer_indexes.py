"""Less to write for each task: its two rare references are indexed where there are any, and PostgreSQL leaves room on
each page for the next version of a row, so that an update need not touch every index."""

import django.db.models.deletion
from django.db import migrations, models

# in one step with the indexes that replace them; by name, because SQLite would make the table anew for a change of field
WHOLE = {
    "original_id": "orchestration_task_original_id_e5f5f933",
    "linked_attempt_id": "orchestration_task_linked_attempt_id_bf6b5d4a",
}
ROOM = {"orchestration_task": 60, "orchestration_attempt": 60}  # percent of a page that rows are put on


def leave_room(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for table, percent in ROOM.items():
            schema_editor.execute(f"ALTER TABLE {table} SET (fillfactor = {percent})")


def fill_up(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for table in ROOM:
            schema_editor.execute(f"ALTER TABLE {table} RESET (fillfactor)")


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0011_run_indexes")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f'DROP INDEX IF EXISTS "{index}"', f'CREATE INDEX "{index}" ON "orchestration_task" ("{column}")'
                )
                for column, index in WHOLE.items()
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="task",
                    name="linked_attempt",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="links",
                        to="orchestration.attempt",
                    ),
                ),
                migrations.AlterField(
                    model_name="task",
                    name="original",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="derived",
                        to="orchestration.task",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("original__isnull", False)), fields=["original"], name="task_by_original"
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("linked_attempt__isnull", False)), fields=["linked_attempt"], name="task_by_link"
            ),
        ),
        migrations.RunPython(leave_room, fill_up),
    ]
