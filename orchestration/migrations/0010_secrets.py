from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from orchestration.roles import roles_install


def install(apps, schema_editor):
    """Secrets are for operators; staff that may cancel everybody's runs today keeps that."""
    roles_install(apps)
    permission = apps.get_model("auth", "Permission")
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="orchestration", model="tree"
    )
    cancel_any, _ = permission.objects.get_or_create(
        content_type=content_type, codename="cancel_any", defaults={"name": "Can cancel any run, if staff"}
    )
    for user in apps.get_model("auth", "User").objects.filter(is_staff=True, is_superuser=False):
        user.user_permissions.add(cancel_any)


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0009_reports"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="tree",
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("run_tree", "Can run, cancel and re-execute trees"),
                    ("http_private", "Can reach private networks with the http executor"),
                    ("use_shell", "Can use the command executor (superusers too need it)"),
                    ("cancel_any", "Can cancel any run, if staff"),
                ],
            },
        ),
        migrations.AddField(
            model_name="apitoken",
            name="use_shell",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="bulkoperation",
            name="use_shell",
            field=models.BooleanField(default=True),
        ),
        migrations.CreateModel(
            name="Secret",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100)),
                ("sealed", models.TextField()),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="secrets",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(fields=("user", "name"), name="secret_name_once_per_user"),
                ],
            },
        ),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
