"""Addresses of the protocol. A client's base address is /apflow; the trailing slash of its calls is up to it."""

from __future__ import annotations

from django.urls import path

from orchestration.rpc.views import Methods, Rpc

urlpatterns = [
    path("apflow/", Rpc.as_view(probe=True), name="rpc"),
    path("apflow", Rpc.as_view(probe=True)),
    path("apflow/tasks", Rpc.as_view(), name="rpc_tasks"),
    path("apflow/tasks/", Rpc.as_view()),
    path("apflow/tasks/methods", Methods.as_view(), name="rpc_methods"),
    path("apflow/system", Rpc.as_view(), name="rpc_system"),
    path("apflow/system/", Rpc.as_view()),
]
