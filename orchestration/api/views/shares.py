"""Who else may see or run a tree; for its owner."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.base import ApiView, Done
from orchestration.api.bodies import RightBody, ShareBody
from orchestration.api.schema import described
from orchestration.api.shapes import ShareShape
from orchestration.domain.errors import Conflict
from orchestration.models import TreeShare
from orchestration.selectors import access, api_rows, doors
from orchestration.services import throttle
from orchestration.services.shares import share_remove, share_set


def share_done(share: TreeShare) -> Done:
    """What a request about *share* answers."""
    address = f"/api/v1/trees/{share.tree_id}/shares/{share.pk}/"
    details = {"share": share.pk, "username": share.user.get_username(), "right": share.right}
    return Done(ShareShape(share).data, f"tree:{share.tree_id}", details, address)


class TreeShares(ApiView):
    @described("tree_share_list", "With whom a tree is shared", ShareShape, listing=api_rows.SHARES)
    def get(self, request: Request, tree_id: int) -> Response:
        tree = access.tree_for_write(request.user, tree_id)
        return self.listed(api_rows.shares(tree), api_rows.SHARES, ShareShape)

    @described("tree_share_add", "Share a tree with one more user", ShareShape, status=201, body=ShareBody)
    def post(self, request: Request, tree_id: int) -> Response:
        tree = access.tree_for_write(request.user, tree_id)
        asked, address = self.body(ShareBody), throttle.client_address(request)

        def do() -> Done:
            known = doors.share_with(tree, asked["username"])
            if known is not None:
                message = f"shared with them already, as share {known.pk}: change that one"
                raise Conflict(message, code="already_shared", field="username")
            return share_done(share_set(user=self.user, tree_id=tree_id, ip=address, **asked))

        return self.commit("api.share.add", do, status=201)


class TreeShareDetail(ApiView):
    @described("tree_share_get", "One share", ShareShape, selectable=True)
    def get(self, request: Request, tree_id: int, share_id: int) -> Response:
        return self.shown(ShareShape, self._share(tree_id, share_id))

    @described("tree_share_update", "Change what they may", ShareShape, body=RightBody)
    def patch(self, request: Request, tree_id: int, share_id: int) -> Response:
        self._share(tree_id, share_id)
        right, address = self.body(RightBody)["right"], throttle.client_address(request)

        def do() -> Done:
            name = self._share(tree_id, share_id).user.get_username()
            return share_done(share_set(user=self.user, tree_id=tree_id, username=name, right=right, ip=address))

        return self.commit("api.share.update", do)

    @described("tree_share_delete", "Share a tree with them no longer", None, status=204, writes=True)
    def delete(self, request: Request, tree_id: int, share_id: int) -> Response:
        address = throttle.client_address(request)

        def do() -> Done:
            name = share_remove(user=self.user, tree_id=tree_id, share_id=share_id, ip=address)
            return Done(None, f"tree:{tree_id}", {"share": share_id, "username": name})

        return self.commit("api.share.remove", do, status=204)

    def _share(self, tree_id: int, share_id: Any) -> TreeShare:
        return doors.share_of(access.tree_for_write(self.user, tree_id), share_id)
