"""The nodes of the graph of referrers (reference section 10): written with the attestation, one organization each.

An attestation's edges are stored once, from it to its materials and commits, with the workflow that made them; they are
followed in both directions (`server.store.referrer_edges`). What is said of a node is kept twice: for each workflow
that attested it, which is all that a token of a narrower scope sees, and for the organization as a whole. There nobody
speaks for another project: content that the server holds, and has compared, comes before what was only said, and of
what several projects merely say, that is kept in which they agree (R12, R13).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, bindparam, insert, select, update

from chainloop_ci.api.referrers import Referrer
from chainloop_ci.attestation.referrers import Node
from server.model.principal import Reach
from server.store.reach import within_table
from server.store.tables import referrer_edges, referrer_facts, referrer_nodes
from server.store.times import from_text, to_text

Key = tuple[str, str]
"""Digest and kind: what names a node."""

_OWNERS = ("organization_id", "project_id", "workflow_id")


def add(
    connection: Connection,
    organization_id: str,
    project_id: str,
    workflow_id: str,
    nodes: tuple[Node, ...],
    at: datetime,
) -> None:
    """Write the graph of an attestation, whose own node is the first of `nodes`."""
    _add_nodes(connection, organization_id, project_id, nodes, at)
    _add_facts(connection, Reach(organization_id, project_id, workflow_id), nodes, at)
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
    """Return the nodes of that digest, one per kind, as those within reach attested them."""
    found = [node for node in _read(connection, reach, [digest]) if kind in (None, node.kind)]
    return sorted(found, key=lambda node: node.kind)


def get_all(connection: Connection, reach: Reach, keys: Iterable[Key]) -> dict[Key, Referrer]:
    """Return the nodes that are named by `keys`, as those within reach attested them."""
    wanted = set(keys)
    # By digest alone: few digests have several kinds, and every database knows how to look a list of texts up.
    found = _read(connection, reach, sorted({digest for digest, _ in wanted}))
    return {node.key: node for node in found if node.key in wanted}


def _read(connection: Connection, reach: Reach, digests: Collection[str]) -> Iterable[Referrer]:
    if reach.is_whole:
        nodes = referrer_nodes.c
        own = (nodes.organization_id == reach.organization_id, nodes.digest.in_(digests))
        return map(_record, connection.execute(select(referrer_nodes).where(*own)))
    within = (*within_table(reach, referrer_facts), referrer_facts.c.digest.in_(digests))
    rows = connection.execute(select(referrer_facts).where(*within)).all()
    found: dict[Key, Referrer] = {}
    # What counts most comes last: content that is held, of that the newest word.
    for row in sorted(rows, key=lambda row: (row.downloadable, row.attested_at, row.workflow_id)):
        node = _record(row)
        first = found.get(node.key, node).created_at
        found[node.key] = replace(node, created_at=min(first, node.created_at))
    return found.values()


# --- the organization's ----------------------------------------------------------------------------------------------


def _add_nodes(
    connection: Connection, organization_id: str, project_id: str, nodes: tuple[Node, ...], at: datetime
) -> None:
    wanted = {"organization_id": organization_id, "digests": sorted({node.digest for node in nodes})}
    known = {(row.digest, row.kind): row for row in connection.execute(_known_nodes(), wanted)}
    owner = {"organization_id": organization_id, "created_at": to_text(at)}
    fresh = [{**owner, **_values(node), "facts_project_id": project_id} for node in nodes if node.key not in known]
    if fresh:
        connection.execute(insert(referrer_nodes), fresh)
    merged = [(row, _merge(row, node, project_id)) for node in nodes if (row := known.get(node.key))]
    changed = [values for row, values in merged if any(getattr(row, name) != values[name] for name in values)]
    _update(connection, referrer_nodes, {"organization_id": organization_id}, changed)


@cache
def _known_nodes() -> Select[Any]:
    columns = referrer_nodes.c
    digests: BindParameter[str] = bindparam("digests", expanding=True)
    own = (columns.organization_id == bindparam("organization_id"), columns.digest.in_(digests))
    return select(referrer_nodes).where(*own)


def _merge(known: Row[Any], node: Node, project_id: str) -> dict[str, Any]:
    """Return what the whole organization is told of a node from now on."""
    values = {**_values(node), "facts_project_id": project_id}
    if node.downloadable != known.downloadable:
        return values if node.downloadable else _kept(known)
    if known.facts_project_id == project_id:
        return values
    said = json.loads(known.annotations)
    agreed = {name: value for name, value in said.items() if node.annotations.get(name) == value}
    return {**_kept(known), "annotations": json.dumps(agreed), "facts_project_id": None}


def _kept(known: Row[Any]) -> dict[str, Any]:
    names = ("digest", "kind", "downloadable", "metadata", "annotations", "facts_project_id")
    return {name: getattr(known, name) for name in names}


# --- each workflow's -------------------------------------------------------------------------------------------------


def _add_facts(connection: Connection, reach: Reach, nodes: tuple[Node, ...], at: datetime) -> None:
    own = {name: getattr(reach, name) for name in _OWNERS}
    wanted = {**own, "digests": sorted({node.digest for node in nodes})}
    held = {(row.digest, row.kind): row.downloadable for row in connection.execute(_held_facts(), wanted)}
    values = [{**own, **_values(node), "attested_at": to_text(at)} for node in nodes]
    fresh = [{**item, "created_at": to_text(at)} for item in values if (item["digest"], item["kind"]) not in held]
    if fresh:
        connection.execute(insert(referrer_facts), fresh)
    # What was only said does not take the place of what was compared with the content.
    newer = [item for item in values if held.get((item["digest"], item["kind"]), True) <= item["downloadable"]]
    old = [item for item in newer if (item["digest"], item["kind"]) in held]
    _update(connection, referrer_facts, own, old)


@cache
def _held_facts() -> Select[Any]:
    columns = referrer_facts.c
    digests: BindParameter[str] = bindparam("digests", expanding=True)
    own = (columns[name] == bindparam(name) for name in _OWNERS)
    return select(columns.digest, columns.kind, columns.downloadable).where(*own, columns.digest.in_(digests))


def _update(connection: Connection, table: Any, own: Mapping[str, Any], rows: list[dict[str, Any]]) -> None:
    """Write rows that are there already; `own` are the values that name them beside digest and kind."""
    if not rows:
        return
    names = ("digest", "kind")
    where = [table.c[name] == value for name, value in own.items()]
    where += [table.c[name] == bindparam(f"its_{name}") for name in names]
    changes: dict[str, Any] = {
        name: bindparam(f"new_{name}") for name in rows[0] if name not in names and name not in own
    }
    values = [
        {(f"its_{name}" if name in names else f"new_{name}"): value for name, value in row.items()} for row in rows
    ]
    connection.execute(update(table).where(*where).values(changes), values)


def _values(node: Node) -> dict[str, Any]:
    return {
        "digest": node.digest,
        "kind": node.kind,
        "downloadable": node.downloadable,
        "metadata": json.dumps(dict(node.metadata)),
        "annotations": json.dumps(dict(node.annotations)),
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
