"""The filters that a person keeps for the lists of trees and runs."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.base import ApiView, Done
from orchestration.api.personal_shapes import FilterBody, FilterShape
from orchestration.api.schema import described
from orchestration.selectors import api_rows
from orchestration.services.saved import filter_delete, filter_save


class FilterList(ApiView):
    @described("filter_list", "Your saved filters", FilterShape, listing=api_rows.FILTERS)
    def get(self, request: Request) -> Response:
        return self.listed(api_rows.filters(request.user), api_rows.FILTERS, FilterShape)

    @described(
        "filter_save", "Keep a filter, in place of one of that name", FilterShape, status=201, body=FilterBody,
        example={"page": "runs", "name": "failed today", "query": "state=failed&hours=24"},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        asked = self.body(FilterBody)
        default = asked.pop("is_default")

        def do() -> Done:
            saved = filter_save(user=self.user, default=default, **asked)
            return Done(FilterShape(saved).data, f"filter:{saved.pk}", {"name": saved.name})

        return self.commit("filter.save", do, status=201)


class FilterDetail(ApiView):
    @described("filter_delete", "Forget a filter", None, status=204, writes=True)
    def delete(self, request: Request, filter_id: int) -> Response:
        def do() -> Done:
            saved = filter_delete(user=self.user, filter_id=filter_id)
            return Done(None, f"filter:{filter_id}", {"name": saved.name})

        return self.commit("filter.delete", do, status=204)
