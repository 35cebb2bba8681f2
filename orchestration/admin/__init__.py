"""The admin site: for looking, for users, for sharing trees and for labels. States are written by the engine alone."""

from __future__ import annotations

from orchestration.admin import belongings, people, records

__all__ = ["belongings", "people", "records"]
