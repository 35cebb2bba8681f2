"""Addresses of the API."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.urls import path, re_path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from orchestration.api import urls_webhooks
from orchestration.api.views import (
    bulk,
    catalogue,
    clones,
    dependencies,
    explain,
    hooks,
    operations,
    runs,
    saved,
    secrets,
    shares,
    tasks,
    tokens,
    trees,
    triggers,
)

V1 = "api/v1/"
TREE, TASK, RUN = f"{V1}trees/<int:tree_id>/", f"{V1}tasks/<uuid:task_id>/", f"{V1}runs/<int:run_id>/"
HOOK = r"^hooks/(?P<public_id>[\w-]{1,64})(?:/(?P<secret>[\w-]{1,128}))?/?$"

urlpatterns = [
    path(V1, catalogue.Root.as_view(), name="api_root"),
    path(f"{V1}trees/", trees.TreeList.as_view(), name="api_trees"),
    path(f"{V1}trees/import/", trees.TreeImport.as_view(), name="api_tree_import"),
    path(f"{V1}trees/bulk/", bulk.TreeBulk.as_view(), name="api_tree_bulk"),
    path(TREE, trees.TreeDetail.as_view(), name="api_tree"),
    path(f"{TREE}tasks/", trees.TreeTasks.as_view(), name="api_tree_tasks"),
    path(f"{TREE}dependencies/", trees.TreeDependencies.as_view(), name="api_tree_dependencies"),
    path(f"{TREE}runs/", runs.TreeRuns.as_view(), name="api_tree_runs"),
    path(f"{TREE}limit/", trees.TreeLimit.as_view(), name="api_tree_limit"),
    path(f"{TREE}shares/", shares.TreeShares.as_view(), name="api_tree_shares"),
    path(f"{TREE}shares/<int:share_id>/", shares.TreeShareDetail.as_view(), name="api_tree_share"),
    path(f"{TREE}triggers/", triggers.TreeTriggers.as_view(), name="api_tree_triggers"),
    path(f"{TREE}triggers/<int:trigger_id>/", triggers.TreeTrigger.as_view(), name="api_tree_trigger"),
    path(f"{TREE}triggers/<int:trigger_id>/rotate/", triggers.TreeTriggerRotate.as_view(), name="api_trigger_rotate"),
    path(f"{TREE}export/", trees.TreeExport.as_view(), name="api_tree_export"),
    path(f"{TREE}dry-run/", explain.TreeDryRun.as_view(), name="api_tree_dry_run"),
    path(f"{V1}tasks/", tasks.TaskList.as_view(), name="api_tasks"),
    path(TASK, tasks.TaskDetail.as_view(), name="api_task"),
    path(f"{TASK}cancel/", tasks.TaskCancel.as_view(), name="api_task_cancel"),
    path(f"{TASK}priority/", tasks.TaskPriority.as_view(), name="api_task_priority"),
    path(f"{TASK}attempts/", tasks.TaskAttempts.as_view(), name="api_task_attempts"),
    path(f"{TASK}attempts/<int:number>/", tasks.TaskAttempt.as_view(), name="api_task_attempt"),
    path(f"{TASK}dependencies/", dependencies.TaskDependencies.as_view(), name="api_task_dependencies"),
    path(f"{TASK}dependencies/<uuid:other_id>/", dependencies.TaskDependency.as_view(), name="api_task_dependency"),
    path(f"{TASK}explain/", explain.TaskExplain.as_view(), name="api_task_explain"),
    path(f"{TASK}move/", tasks.TaskMove.as_view(), name="api_task_move"),
    path(f"{TASK}copy/", clones.TaskCopy.as_view(), name="api_task_copy"),
    path(f"{TASK}link/", clones.TaskLink.as_view(), name="api_task_link"),
    path(f"{TASK}archive/", clones.TaskArchive.as_view(), name="api_task_archive"),
    path(f"{TASK}mixed/", clones.TaskMixed.as_view(), name="api_task_mixed"),
    path(f"{V1}runs/", runs.RunList.as_view(), name="api_runs"),
    path(RUN, runs.RunDetail.as_view(), name="api_run"),
    path(f"{RUN}cancel/", runs.RunCancel.as_view(), name="api_run_cancel"),
    path(f"{RUN}retry/", runs.RunRetry.as_view(), name="api_run_retry"),
    path(f"{RUN}attempts/", runs.RunAttempts.as_view(), name="api_run_attempts"),
    path(f"{RUN}events/", runs.events, name="api_run_events"),
    path(f"{RUN}explain/", explain.RunExplain.as_view(), name="api_run_explain"),
    path(f"{V1}compare/", explain.Compare.as_view(), name="api_compare"),
    path(f"{V1}executors/", catalogue.ExecutorList.as_view(), name="api_executors"),
    path(f"{V1}executors/<str:executor_id>/", catalogue.ExecutorDetail.as_view(), name="api_executor"),
    path(f"{V1}queue/", catalogue.Queue.as_view(), name="api_queue"),
    path(f"{V1}workers/", catalogue.WorkerList.as_view(), name="api_workers"),
    path(f"{V1}me/", catalogue.Me.as_view(), name="api_me"),
    path(f"{V1}tokens/", tokens.TokenList.as_view(), name="api_tokens"),
    path(f"{V1}tokens/<int:token_id>/", tokens.TokenDetail.as_view(), name="api_token"),
    path(f"{V1}operations/", operations.OperationList.as_view(), name="api_operations"),
    path(f"{V1}operations/<int:operation_id>/", operations.OperationDetail.as_view(), name="api_operation"),
    path(f"{V1}operations/<int:operation_id>/stop/", operations.OperationStop.as_view(), name="api_operation_stop"),
    path(f"{V1}filters/", saved.FilterList.as_view(), name="api_filters"),
    path(f"{V1}filters/<int:filter_id>/", saved.FilterDetail.as_view(), name="api_filter"),
    path(f"{V1}secrets/", secrets.SecretList.as_view(), name="api_secrets"),
    path(f"{V1}secrets/<str:name>/", secrets.SecretDetail.as_view(), name="api_secret"),
    path(f"{V1}audit/", tokens.AuditList.as_view(), name="api_audit"),
    *urls_webhooks.urlpatterns,
    path(f"{V1}schema/", SpectacularJSONAPIView.as_view(), name="api_schema"),
    path(
        "api/docs/",
        login_required(SpectacularSwaggerSplitView.as_view(url_name="api_schema")),
        name="api_docs",
    ),
    re_path(HOOK, hooks.Hook.as_view(), name="api_hook"),
    re_path(r"^hooks(?:/|$)", hooks.Hook.as_view(), name="api_hook_unknown"),
    re_path(r"^api/", catalogue.Unknown.as_view(), name="api_unknown"),
]
