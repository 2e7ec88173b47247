"""The graph of what refers to what: a node, a page of its neighbours, what lies behind them (reference section 10)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from chainloop_ci.api.referrers import ReachedReferrer, Referrer, ReferrerGraph, ReferrerKey, ReferrerLink
from chainloop_ci.errors import Finding, NotFoundError, RequestInvalidError
from server.model.paging import Paging, bind
from server.model.principal import Principal, Reach
from server.store import referrer_edges, referrers
from server.store.database import Database
from server.store.referrer_edges import Edge
from server.store.referrers import Key

MAX_NODES = 1000
"""Nodes that one answer holds (T39)."""
MAX_EACH = 100
"""Neighbours of one node behind the first page (T39)."""


@dataclass(slots=True)
class _Found:
    """What was found behind the neighbours so far."""

    depths: dict[Key, int]
    edges: dict[Edge, None] = field(default_factory=dict)
    unfinished: dict[Key, None] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Tell whether there is no room for another node."""
        return len(self.depths) >= MAX_NODES


class Referrers:
    """Use cases of the graph."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(
        self, principal: Principal, digest: str, kind: str | None, paging: Paging, *, depth: int = 1
    ) -> ReferrerGraph:
        """Return a node, a page of its neighbours by digest and kind, and what lies up to `depth` steps away.

        Raises:
            NotFoundError: nothing within the token's reach has that digest.
            RequestInvalidError: several nodes have it and the kind is not said.
        """
        binding = bind("referrers", principal.organization_id, reach=principal.reach, digest=digest, kind=kind)
        after = paging.after(binding, ("", ""))
        start = (str(after[0]), str(after[1])) if after else None
        with self._database.read() as connection:
            node = _find(connection, principal.reach, digest, kind)
            edges = referrer_edges.list_page(connection, principal.reach, node.key, after=start, limit=paging.limit + 1)
            page = paging.page(edges, binding, lambda edge: edge.beyond(node.key))
            found = _Found({node.key: 0, **{edge.beyond(node.key): 1 for edge in page.items}})
            found.edges |= dict.fromkeys(page.items)
            _walk(connection, principal.reach, found, depth)
            known = referrers.get_all(connection, principal.reach, found.depths)
            links = _links(connection, principal.organization_id, found.edges)
        reached = sorted((steps, key) for key, steps in found.depths.items() if key in known)
        return ReferrerGraph(
            node=node,
            references=tuple(known[key] for steps, key in reached if steps == 1),
            next_cursor=page.next_cursor,
            depth=depth,
            further=tuple(ReachedReferrer(steps, known[key]) for steps, key in reached if steps > 1),
            links=links,
            unfinished=tuple(ReferrerKey(*key) for key in sorted(found.unfinished)),
        )


def _walk(connection: Connection, reach: Reach, found: _Found, depth: int) -> None:
    """Add what lies 2 to `depth` steps away, and the edges between what is there."""
    frontier = [key for key, steps in found.depths.items() if steps == 1]
    for steps in range(2, depth + 1):
        if not frontier:
            return
        of_node: dict[Key, list[Edge]] = {key: [] for key in frontier}
        for edge in referrer_edges.list_of_nodes(connection, reach, frontier, each=MAX_EACH):
            for end in (edge.origin, edge.target):
                if end in of_node:
                    of_node[end].append(edge)
        frontier = [fresh for key, own in of_node.items() for fresh in _expand(found, key, own, steps)]


def _expand(found: _Found, key: Key, own: list[Edge], steps: int) -> list[Key]:
    """Add the neighbours of a node, and return those that are new."""
    fresh: list[Key] = []
    for edge in own[:MAX_EACH]:
        other = edge.beyond(key)
        if other not in found.depths:
            if found.is_full:
                found.unfinished[key] = None
                continue
            found.depths[other] = steps
            fresh.append(other)
        found.edges[edge] = None
    if len(own) > MAX_EACH:
        found.unfinished[key] = None
    return fresh


def _links(connection: Connection, organization_id: str, edges: Iterable[Edge]) -> tuple[ReferrerLink, ...]:
    shown = sorted(edges, key=lambda edge: (edge.origin, edge.target))
    runs = referrer_edges.find_runs(
        connection, organization_id, (edge.origin[0] for edge in shown), (edge.target[0] for edge in shown)
    )
    return tuple(
        ReferrerLink(
            attestation=ReferrerKey(*edge.origin),
            target=ReferrerKey(*edge.target),
            project=run.project,
            workflow=run.workflow,
            run_id=run.run_id,
            names=run.names.get(edge.target[0], ()),
        )
        for edge in shown
        if (run := runs.get(edge.origin[0]))
    )


def _find(connection: Connection, reach: Reach, digest: str, kind: str | None) -> Referrer:
    found = referrers.find(connection, reach, digest, kind)
    if not found:
        of_kind = f" of kind {kind}" if kind else ""
        raise NotFoundError(
            f"nothing{of_kind} that was attested has the digest {digest}",
            hint="a digest is known from the moment an attestation with it is stored; what was uploaded and never "
            f"attested: `chainloop workflow run list --digest {digest}`",
        )
    if len(found) > 1:
        kinds = ", ".join(node.kind for node in found)
        message = f"{digest} is known as several kinds: {kinds}; say which one is meant"
        raise RequestInvalidError(
            message, hint=f"add kind={found[0].kind}", findings=[Finding("kind-needed", message, path="?kind")]
        )
    return found[0]
