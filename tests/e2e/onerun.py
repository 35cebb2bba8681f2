"""A run that goes on until somebody ends it, and what a page says of it besides its rows."""

from __future__ import annotations

MAKE = """
from django.contrib.auth.models import User
from orchestration.builders.array import tree_from_array
from orchestration.services.runs import run_start
admin = User.objects.get(username="admin")
array = [{"name": %r}]
array.append({"name": "works", "parent_id": %r, "executor": "simulate", "inputs": {"duration_s": 900}})
print(run_start(user=admin, tree_id=tree_from_array(owner=admin, data=array).pk).pk)
"""
END = """
from django.contrib.auth.models import User
from orchestration.services.runs import run_cancel
run_cancel(user=User.objects.get(username="admin"), run_id=%s, reason="enough")
"""


def badge(page):
    return page.locator("#live")


def icon(page, state):
    """Wait until the tab's icon is that of *state*."""
    page.locator(f'#favicon[href*="/favicon-{state}"]').wait_for(state="attached")
