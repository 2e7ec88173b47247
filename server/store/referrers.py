"""The graph of what refers to what (reference section 10): written with the attestation, one organization each.

An attestation's edges are stored once, from it to its materials and commits, with the workflow that made them; they are
followed in both directions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, tuple_, union_all, update

from chainloop_ci.api.runs import Referrer
from chainloop_ci.attestation.referrers import Node
from server.model.principal import Reach
from server.store.reach import within_table
from server.store.tables import referrer_edges, referrer_nodes
from server.store.times import from_text, to_text


def add(
    connection: Connection,
    organization_id: str,
    project_id: str,
    workflow_id: str,
    nodes: tuple[Node, ...],
    at: datetime,
) -> None:
    """Write the graph of an attestation, whose own node is the first of `nodes`; what is known already stays."""
    known = _known(connection, organization_id, nodes)
    fresh = [node for node in nodes if node.key not in known]
    if fresh:
        connection.execute(insert(referrer_nodes), [_values(organization_id, node, at) for node in fresh])
    # Content that was a bare digest so far may have been uploaded since.
    for node in nodes:
        if node.downloadable and known.get(node.key) is False:
            _set_downloadable(connection, organization_id, node)
    origin, *others = nodes
    edges = [
        {
            "organization_id": organization_id,
            "from_digest": origin.digest,
            "from_kind": origin.kind,
            "to_digest": other.digest,
            "to_kind": other.kind,
            "project_id": project_id,
            "workflow_id": workflow_id,
        }
        for other in others
    ]
    if edges:
        connection.execute(insert(referrer_edges), edges)


def find(connection: Connection, reach: Reach, digest: str, kind: str | None) -> list[Referrer]:
    """Return the nodes of that digest that lie within reach, one per kind."""
    nodes = referrer_nodes.c
    query = select(referrer_nodes).where(nodes.organization_id == reach.organization_id, nodes.digest == digest)
    if kind is not None:
        query = query.where(nodes.kind == kind)
    found = [_record(row) for row in connection.execute(query.order_by(nodes.kind))]
    return [node for node in found if reach.is_whole or _is_visible(connection, reach, node)]


def list_neighbours(
    connection: Connection, reach: Reach, node: Referrer, *, after: tuple[str, str] | None, limit: int
) -> list[Referrer]:
    """Return what the node refers to and what refers to it, by digest and kind."""
    edges, nodes = referrer_edges.c, referrer_nodes.c
    forward = select(edges.to_digest.label("digest"), edges.to_kind.label("kind")).where(
        *within_table(reach, referrer_edges), edges.from_digest == node.digest, edges.from_kind == node.kind
    )
    backward = select(edges.from_digest.label("digest"), edges.from_kind.label("kind")).where(
        *within_table(reach, referrer_edges), edges.to_digest == node.digest, edges.to_kind == node.kind
    )
    keys = union_all(forward, backward).subquery()
    wanted = select(keys.c.digest, keys.c.kind).distinct()
    if after is not None:
        wanted = wanted.where(tuple_(keys.c.digest, keys.c.kind) > tuple_(*after))
    page = wanted.order_by(keys.c.digest, keys.c.kind).limit(limit).subquery()
    query = (
        select(referrer_nodes)
        .join(page, and_(nodes.digest == page.c.digest, nodes.kind == page.c.kind))
        .where(nodes.organization_id == reach.organization_id)
        .order_by(nodes.digest, nodes.kind)
    )
    return [_record(row) for row in connection.execute(query)]


def _is_visible(connection: Connection, reach: Reach, node: Referrer) -> bool:
    edges = referrer_edges.c
    touches = or_(
        and_(edges.from_digest == node.digest, edges.from_kind == node.kind),
        and_(edges.to_digest == node.digest, edges.to_kind == node.kind),
    )
    return (
        connection.execute(
            select(edges.from_digest).where(*within_table(reach, referrer_edges), touches).limit(1)
        ).first()
        is not None
    )


def _known(connection: Connection, organization_id: str, nodes: Iterable[Node]) -> dict[tuple[str, str], bool]:
    """Return which of the nodes exist, and whether they are downloadable."""
    columns = referrer_nodes.c
    digests = sorted({node.digest for node in nodes})
    query = select(columns.digest, columns.kind, columns.downloadable).where(
        columns.organization_id == organization_id, columns.digest.in_(digests)
    )
    return {(row.digest, row.kind): row.downloadable for row in connection.execute(query)}


def _set_downloadable(connection: Connection, organization_id: str, node: Node) -> None:
    columns = referrer_nodes.c
    own = (columns.organization_id == organization_id, columns.digest == node.digest, columns.kind == node.kind)
    connection.execute(update(referrer_nodes).where(*own).values(downloadable=True))


def _values(organization_id: str, node: Node, at: datetime) -> dict[str, Any]:
    return {
        "organization_id": organization_id,
        "digest": node.digest,
        "kind": node.kind,
        "downloadable": node.downloadable,
        "metadata": json.dumps(dict(node.metadata)),
        "annotations": json.dumps(dict(node.annotations)),
        "created_at": to_text(at),
    }


def _record(row: Row[Any]) -> Referrer:
    return Referrer(
        digest=row.digest,
        kind=row.kind,
        downloadable=row.downloadable,
        created_at=from_text(row.created_at),
        metadata=json.loads(row.metadata),
        annotations=json.loads(row.annotations),
    )
