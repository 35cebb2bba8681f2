import django.db.models.deletion
import orchestration.models.fields
from django.db import migrations, models

from orchestration import guards


class Migration(migrations.Migration):
    """Triggers, what they have accepted, and what a run was started by."""

    dependencies = [
        ("orchestration", "0007_webhooks"),
    ]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, guards.install_all),  # the way back ends with them, too
        migrations.AddField(
            model_name="run",
            name="started_via",
            field=models.CharField(blank=True, default="", max_length=120),
        ),
        migrations.CreateModel(
            name="Trigger",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.CharField(max_length=32, unique=True)),
                ("generation", models.PositiveIntegerField(default=1)),
                ("name", orchestration.models.fields.NameField(max_length=100)),
                (
                    "proof",
                    models.CharField(
                        choices=[("url", "url"), ("signature", "signature")], default="url", max_length=16
                    ),
                ),
                (
                    "body",
                    models.CharField(
                        choices=[("none", "none"), ("payload", "payload"), ("inputs", "inputs")],
                        default="none",
                        max_length=16,
                    ),
                ),
                ("inputs", orchestration.models.fields.JsonField(blank=True, default=dict)),
                ("per_minute", models.PositiveSmallIntegerField(default=10)),
                ("enabled", models.BooleanField(default=True)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                ("use_count", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                (
                    "tree",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="triggers",
                        to="orchestration.tree",
                    ),
                ),
            ],
            options={
                "ordering": ["tree_id", "id"],
            },
        ),
        migrations.CreateModel(
            name="TriggerUse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("mark", models.CharField(max_length=64)),
                ("at", models.DateTimeField(db_index=True)),
                (
                    "trigger",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="uses",
                        to="orchestration.trigger",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="trigger",
            constraint=models.UniqueConstraint(fields=("tree", "name"), name="trigger_name_once_per_tree"),
        ),
        migrations.AddConstraint(
            model_name="trigger",
            constraint=models.CheckConstraint(
                condition=models.Q(("proof__in", ["url", "signature"])), name="trigger_proof_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="trigger",
            constraint=models.CheckConstraint(
                condition=models.Q(("body__in", ["none", "payload", "inputs"])), name="trigger_body_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="triggeruse",
            constraint=models.UniqueConstraint(fields=("trigger", "mark"), name="trigger_mark_once"),
        ),
        migrations.RunPython(guards.install_all, guards.uninstall_all),
    ]
