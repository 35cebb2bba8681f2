"""Addresses of what can be done with runs, tasks and trees, and of the other tabs of the run page."""

from __future__ import annotations

from django.urls import path

from dashboard.views import cancel, clone, dry_run, plan, queue, release, run_tabs, task_actions, tree_settings

urlpatterns = [
    path("runs/<int:run_id>/cancel", cancel.run_cancel, name="run_cancel"),
    path("runs/<int:run_id>/rerun", plan.run_rerun, name="run_rerun"),
    path("runs/<int:run_id>/events", run_tabs.run_events, name="run_events"),
    path("runs/<int:run_id>/data", run_tabs.run_data, name="run_data"),
    path("runs/<int:run_id>/compare", run_tabs.run_compare, name="run_compare"),
    path("runs/<int:run_a>/compare/<int:run_b>", run_tabs.run_compare_with, name="run_compare_with"),
    path("tasks/<uuid:task_id>/cancel", cancel.task_cancel, name="task_cancel"),
    path("tasks/<uuid:task_id>/release", release.task_release, name="task_release"),
    path("tasks/<uuid:task_id>/panel", task_actions.task_panel, name="task_panel"),
    path("tasks/<uuid:task_id>/edit", task_actions.task_edit, name="task_edit"),
    path("tasks/<uuid:task_id>/priority", task_actions.task_priority, name="task_priority"),
    path("tasks/<uuid:task_id>/move", task_actions.link_move, name="link_move"),
    path("trees/<int:tree_id>/start", plan.tree_start, name="tree_start"),
    path("trees/<int:tree_id>/dry-run", dry_run.tree_dry_run, name="tree_dry_run"),
    path("trees/<int:tree_id>/copy", clone.tree_copy, name="tree_copy"),
    path("trees/<int:tree_id>/link", clone.tree_link, name="tree_link"),
    path("trees/<int:tree_id>/archive", clone.tree_archive, name="tree_archive"),
    path("trees/<int:tree_id>/mixed", clone.tree_mixed, name="tree_mixed"),
    path("trees/<int:tree_id>/rename", tree_settings.tree_rename, name="tree_rename"),
    path("trees/<int:tree_id>/labels", tree_settings.tree_labels, name="tree_labels"),
    path("trees/<int:tree_id>/limit", tree_settings.tree_limit, name="tree_limit"),
    path("queue/", queue.queue, name="queue"),
]
