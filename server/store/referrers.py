"""The graph of what refers to what (reference section 10): written with the attestation, one organization each.

An attestation's edges are stored once, from it to its materials and commits, with the workflow that made them; they are
followed in both directions (`server.store.referrer_edges`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from chainloop_ci.api.referrers import Referrer
from chainloop_ci.attestation.referrers import Node
from server.store.tables import referrer_edges, referrer_nodes
from server.store.times import from_text, to_text

Key = tuple[str, str]
"""Digest and kind: what names a node."""


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


def find(connection: Connection, organization_id: str, digest: str, kind: str | None) -> list[Referrer]:
    """Return the organization's nodes of that digest, one per kind, whoever may see them."""
    nodes = referrer_nodes.c
    query = select(referrer_nodes).where(nodes.organization_id == organization_id, nodes.digest == digest)
    if kind is not None:
        query = query.where(nodes.kind == kind)
    return [_record(row) for row in connection.execute(query.order_by(nodes.kind))]


def get_all(connection: Connection, organization_id: str, keys: Iterable[Key]) -> dict[Key, Referrer]:
    """Return the organization's nodes that are named by `keys`."""
    wanted = set(keys)
    nodes = referrer_nodes.c
    # By digest alone: few digests have several kinds, and every database knows how to look a list of texts up.
    digests = sorted({digest for digest, _ in wanted})
    query = select(referrer_nodes).where(nodes.organization_id == organization_id, nodes.digest.in_(digests))
    found = (_record(row) for row in connection.execute(query))
    return {node.key: node for node in found if node.key in wanted}


def _known(connection: Connection, organization_id: str, nodes: Iterable[Node]) -> dict[Key, bool]:
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
