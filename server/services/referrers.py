"""The graph of what refers to what, one node and its neighbours at a time (reference section 10)."""

from __future__ import annotations

from chainloop_ci.api.runs import Referrer, ReferrerGraph
from chainloop_ci.errors import Finding, NotFoundError, RequestInvalidError
from server.model.paging import Paging, bind
from server.model.principal import Principal
from server.store import referrers
from server.store.database import Database


class Referrers:
    """Use cases of the graph."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, principal: Principal, digest: str, kind: str | None, paging: Paging) -> ReferrerGraph:
        """Return a node and a page of its neighbours, by digest and kind.

        Raises:
            NotFoundError: nothing within the token's reach has that digest.
            RequestInvalidError: several nodes have it and the kind is not said.
        """
        binding = bind("referrers", principal.organization_id, reach=principal.reach, digest=digest, kind=kind)
        after = paging.after(binding, ("", ""))
        with self._database.read() as connection:
            node = _require_one(referrers.find(connection, principal.reach, digest, kind), digest, kind)
            found = referrers.list_neighbours(
                connection,
                principal.reach,
                node,
                after=(str(after[0]), str(after[1])) if after else None,
                limit=paging.limit + 1,
            )
        page = paging.page(found, binding, lambda item: (item.digest, item.kind))
        return ReferrerGraph(node, page.items, page.next_cursor)


def _require_one(found: list[Referrer], digest: str, kind: str | None) -> Referrer:
    if not found:
        of_kind = f" of kind {kind}" if kind else ""
        raise NotFoundError(
            f"nothing{of_kind} that was attested has the digest {digest}",
            hint="a digest is known from the moment an attestation with it is stored",
        )
    if len(found) > 1:
        kinds = ", ".join(node.kind for node in found)
        message = f"{digest} is known as several kinds: {kinds}; say which one is meant"
        raise RequestInvalidError(
            message, hint=f"add kind={found[0].kind}", findings=[Finding("kind-needed", message, path="?kind")]
        )
    return found[0]
