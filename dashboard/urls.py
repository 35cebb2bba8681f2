"""Addresses of the pages. One address and one POST view per action."""

from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from dashboard import urls_actions, urls_builder, urls_triggers, urls_webhooks
from dashboard.views import (
    access,
    account,
    bulk,
    graph,
    lists,
    me,
    overview,
    palette,
    runs,
    saved,
    secrets,
    tasks,
    trees,
    tryout,
)

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("login/", LoginView.as_view(template_name="login.html", redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("theme", account.theme, name="theme"),
    path("filters/<int:filter_id>/default", saved.filter_default, name="filter_default"),
    path("filters/<int:filter_id>/delete", saved.filter_delete, name="filter_delete"),
    path("filters/<str:kind>/save", saved.filter_save, name="filter_save"),
    path("bulk/<str:kind>", bulk.bulk, name="bulk"),
    path("operations/", bulk.operation_list, name="operations"),
    path("operations/<int:operation_id>", bulk.operation, name="operation"),
    path("operations/<int:operation_id>/stop", bulk.operation_stop, name="operation_stop"),
    path("palette", palette.palette, name="palette"),
    path("me", me.me, name="me"),
    path("me/tour", me.tour, name="tour"),
    path("me/tokens", access.tokens, name="tokens"),
    path("me/tokens/<int:token_id>/revoke", access.token_end, name="token_end"),
    path("me/secrets", secrets.secrets, name="secrets"),
    path("me/secrets/<str:name>/delete", secrets.secret_end, name="secret_end"),
    path("trees/<int:tree_id>/share", access.tree_share, name="tree_share"),
    path("trees/<int:tree_id>/share/<int:share_id>/remove", access.tree_unshare, name="tree_unshare"),
    path("audit/", access.audit_log, name="audit"),
    path("trees/", lists.tree_index, name="trees"),
    path("trees/new", trees.tree_new, name="tree_new"),
    path("trees/<int:tree_id>", trees.tree_detail, name="tree"),
    path("trees/<int:tree_id>/graph", graph.tree_graph_page, name="tree_graph"),
    path("trees/<int:tree_id>/export.json", trees.tree_export, name="tree_export"),
    path("trees/<int:tree_id>/run", trees.tree_run, name="tree_run"),
    path("trees/<int:tree_id>/delete", trees.tree_delete, name="tree_delete"),
    path("runs/", lists.run_index, name="runs"),
    path("runs/<int:run_id>", runs.run_detail, name="run"),
    path("runs/<int:run_id>/graph", graph.run_graph_page, name="run_graph"),
    path("tasks/<uuid:task_id>", tasks.task_page, name="task"),
    path("executors/", lists.executors, name="executors"),
    path("executors/<str:executor_id>/try", tryout.tryout, name="tryout"),
    path("workers/", lists.workers, name="workers"),
    *urls_builder.urlpatterns,
    *urls_actions.urlpatterns,
    *urls_triggers.urlpatterns,
    *urls_webhooks.urlpatterns,
]
