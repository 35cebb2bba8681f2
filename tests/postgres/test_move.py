"""From SQLite to PostgreSQL by `manage.py copy_sqlite`: nothing is lost, nothing is different."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.conf import settings

from tests.support_postgres import new_database
from tests.support_processes import environment_of

pytestmark = pytest.mark.slow

FILL = """
import django; django.setup()
from django.core.management import call_command
from orchestration.builders.archive import tree_archive
from orchestration.engine.headless import drive_until_ended
from orchestration.models import Attempt, Task
from orchestration.services import audit
from orchestration.services.runs import run_start
from tests.factories import make_tree, task

call_command("migrate", verbosity=0)
tree = make_tree(
    task("root", executor=""),
    task("z", executor="simulate", inputs={"z": 1, "a": 1e22, "duration_s": 0, "result": {"z": "\\u20ac", "a": 1e2}}),
    task("n", executor="simulate", inputs={"duration_s": 0, "result": None}, after=["z"]),
)
run, status = drive_until_ended(lambda: run_start(user=tree.owner, tree_id=tree.pk))
tree_archive(user=tree.owner, task_id=Task.objects.get(tree=tree, parent=None).pk)
Attempt.objects.filter(task__name="n", task__tree=tree).update(lease_expires_at=None)
audit.record(actor=tree.owner, action="a", details={"x": 1.0})
print(status, tree.owner.pk)
"""
DUMP = """
import django; django.setup()
from django.apps import apps
from django.db import connection
for model in sorted(apps.get_models(include_auto_created=True), key=lambda m: m._meta.db_table):
    if not model._meta.managed or model._meta.proxy:
        continue
    fields = [f.attname for f in model._meta.local_concrete_fields]
    for row in sorted(model._base_manager.values_list(*fields), key=lambda r: str(r[0])):
        print(model._meta.db_table, row)
with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM orchestration_attempt WHERE result IS NULL")
    print("without a result:", cursor.fetchone())
"""
AFTER = """
import django; django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from orchestration import guards
from orchestration.models import Tree
from orchestration.services.runs import run_start
from django.db import connection
from tests.factories import make_tree, task

call_command("verify_log")
call_command("audit_verify")
assert not guards.missing(connection)
user = User.objects.get(username="ann")
tree = make_tree(task("new", executor="simulate"), owner=user)
assert tree.pk == max(Tree.objects.values_list("pk", flat=True))
run_start(user=user, tree_id=tree.pk)
"""


def environment(data_dir, url):
    return environment_of(data_dir, **({"DATABASE_URL": url} if url else {}))


def told(data_dir, url, *command, code=0):
    done = subprocess.run(
        [sys.executable, *command], cwd=settings.BASE_DIR, env=environment(data_dir, url), capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_everything_is_moved(tmp_path):
    url, file = new_database(), str(tmp_path / "apflow.sqlite3")
    assert told(tmp_path, "", "-c", FILL).startswith("completed ")
    assert "migrate" in told(tmp_path, url, "manage.py", "copy_sqlite", file, code=1)
    told(tmp_path, url, "manage.py", "migrate", "-v0")
    told(tmp_path, url, "manage.py", "copy_sqlite", file)
    before = told(tmp_path, "", "-c", DUMP)
    assert before.count("orchestration_task ") == 6
    assert before == told(tmp_path, url, "-c", DUMP)
    told(tmp_path, url, "-c", AFTER)
    assert "trees already" in told(tmp_path, url, "manage.py", "copy_sqlite", file, code=1)


def test_it_needs_postgresql_and_a_file(tmp_path):
    assert "does not exist" in told(tmp_path, "", "manage.py", "copy_sqlite", str(tmp_path / "no"), code=1)
    (tmp_path / "other.sqlite3").touch()
    assert "DATABASE_URL" in told(tmp_path, "", "manage.py", "copy_sqlite", str(tmp_path / "other.sqlite3"), code=1)
