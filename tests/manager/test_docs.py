"""docs/python-api.md: every example runs."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

from orchestration.manager import TaskManager, TaskTreeNode, create_session
from tests.support_processes import database_of

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python-api.md").read_text(), re.S)


def script():
    return next(text for text in EXAMPLES if text.startswith("# script"))


def test_the_script_runs_as_a_program(transactional_db, tmp_path):
    (tmp_path / "pipeline.py").write_text(script())
    environment = {**os.environ, "APFLOW_DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment |= database_of(tmp_path)
    migrate = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, env=environment, cwd=ROOT, timeout=90, check=True)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "pipeline.py")],
        capture_output=True, text=True, timeout=60, env=environment, cwd=ROOT, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("completed 2\n", "", 0)


async def test_the_other_examples_run_one_after_another(transactional_db, capsys):
    task_manager = TaskManager(create_session())
    names = {"task_manager": task_manager, "create_task": task_manager.create_task, "TaskTreeNode": TaskTreeNode}
    for text in EXAMPLES:
        if not text.startswith("# script"):
            code = compile(text, "docs/python-api.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            answer = eval(code, names)
            if inspect.isawaitable(answer):
                await answer
    assert names["mixed"].calculate_status() == "completed"
    assert "1 run_started None" in capsys.readouterr().out
