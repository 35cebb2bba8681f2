"""Addresses of the builder."""

from __future__ import annotations

from django.urls import path

from dashboard.views import builder, builder_edit

urlpatterns = [
    path("trees/build", builder.build, name="build"),
    path("trees/build/<int:draft_id>", builder.draft_page, name="draft"),
    path("trees/build/<int:draft_id>/edit", builder_edit.draft_edit, name="draft_edit"),
    path("trees/build/<int:draft_id>/save", builder.draft_store, name="draft_save"),
    path("trees/build/<int:draft_id>/discard", builder.draft_drop, name="draft_discard"),
    path("trees/<int:tree_id>/edit", builder.tree_edit, name="tree_edit"),
]
