"""Follow the edges of the graph of referrers, in both directions and within a token's reach (T38, T39).

One query for each direction, never one with OR: on a million edges no database answers that. Every query names the
organization, and reads no more edges of a node than are wanted: a base image that all use has a hundred thousand.
That is why the graph is walked step by step and not by a recursive query, which cannot limit the edges of one node.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, select, tuple_

from server.model.principal import Reach
from server.store.reach import tested, within_table
from server.store.referrers import Key
from server.store.tables import (
    attestations,
    projects,
    referrer_edges,
    referrer_nodes,
    run_materials,
    workflow_runs,
    workflows,
)

_EDGES = referrer_edges.c
_OTHER = referrer_edges.alias()


@dataclass(frozen=True, slots=True)
class Edge:
    """From an attestation to something that it refers to."""

    origin: Key
    target: Key

    def beyond(self, key: Key) -> Key:
        """Return the end that is not `key`."""
        return self.target if self.origin == key else self.origin


@dataclass(frozen=True, slots=True)
class EdgeRun:
    """The run that an attestation is of, with the names that it gives to digests."""

    run_id: str
    project: str
    workflow: str
    names: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Direction:
    """The columns of the end that is known and of the end that is looked for."""

    known: tuple[Column[Any], Column[Any]]
    sought: tuple[Column[Any], Column[Any]]


_FORWARD = _Direction((_EDGES.from_digest, _EDGES.from_kind), (_EDGES.to_digest, _EDGES.to_kind))
_BACKWARD = _Direction((_EDGES.to_digest, _EDGES.to_kind), (_EDGES.from_digest, _EDGES.from_kind))
_DIRECTIONS = (_FORWARD, _BACKWARD)


def list_page(connection: Connection, reach: Reach, node: Key, *, after: Key | None, limit: int) -> list[Edge]:
    """Return the edges of a node in the order of their other ends, at most `limit`."""
    found: list[Edge] = []
    for direction in _DIRECTIONS:
        query = _select().where(*_within(reach, referrer_edges), *_equal(direction.known, node)).distinct()
        if after is not None:
            query = query.where(tuple_(*direction.sought) > tuple_(*after))
        found += _read(connection, query.order_by(*direction.sought).limit(limit))
    return sorted(found, key=lambda edge: edge.beyond(node))[:limit]


def list_of_nodes(connection: Connection, reach: Reach, nodes: Collection[Key], *, each: int) -> list[Edge]:
    """Return the edges of several nodes, at most `each` and one of each node and direction, in a fixed order."""
    found: set[Edge] = set()
    for direction in _DIRECTIONS:
        hot = _find_hot(connection, reach, direction, nodes, each)
        for node in (node for node in nodes if node[0] in hot):
            query = _select().where(*_within(reach, referrer_edges), *_equal(direction.known, node))
            found.update(_read(connection, query.order_by(*direction.sought).limit(each + 1)))
        digests = sorted({digest for digest, _ in nodes} - hot)
        own = _select().where(*_within(reach, referrer_edges), direction.known[0].in_(digests))
        found.update(_read(connection, own))
    return sorted(found, key=lambda edge: (edge.origin, edge.target))


def find_runs(
    connection: Connection, organization_id: str, origins: Iterable[str], targets: Iterable[str]
) -> dict[str, EdgeRun]:
    """Return the runs of attestations by their digest, with the names that they give to `targets`."""
    query = (
        select(
            attestations.c.digest,
            attestations.c.run_id,
            projects.c.name.label("project"),
            workflows.c.name.label("workflow"),
        )
        .join(workflow_runs, workflow_runs.c.id == attestations.c.run_id)
        .join(workflows, workflows.c.id == workflow_runs.c.workflow_id)
        .join(projects, projects.c.id == workflow_runs.c.project_id)
        .where(attestations.c.organization_id == organization_id, attestations.c.digest.in_(sorted(set(origins))))
    )
    rows = list(connection.execute(query))
    names = _names(connection, organization_id, [row.run_id for row in rows], set(targets))
    return {row.digest: EdgeRun(row.run_id, row.project, row.workflow, names.get(row.run_id, {})) for row in rows}


def _names(
    connection: Connection, organization_id: str, run_ids: list[str], targets: set[str]
) -> dict[str, dict[str, tuple[str, ...]]]:
    columns = run_materials.c
    query = select(columns.run_id, columns.digest, columns.name).where(
        columns.organization_id == organization_id, columns.run_id.in_(run_ids)
    )
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for row in connection.execute(query.order_by(columns.run_id, columns.name)):
        if row.digest in targets:
            of_run = found.setdefault(row.run_id, {})
            of_run[row.digest] = (*of_run.get(row.digest, ()), row.name)
    return found


def _find_hot(
    connection: Connection, reach: Reach, direction: _Direction, nodes: Collection[Key], each: int
) -> set[str]:
    """Return the digests with more than `each` edges in this direction, as whatever kind; no more of them are read."""
    start = referrer_nodes.c
    known = tuple(_OTHER.c[part.name] for part in direction.known)
    next_one = (
        select(known[0])
        .where(*_within(reach, _OTHER), known[0] == start.digest, known[1] == start.kind)
        .limit(1)
        .offset(each)
        .scalar_subquery()
    )
    query = select(start.digest).where(
        start.organization_id == reach.organization_id,
        start.digest.in_(sorted({digest for digest, _ in nodes})),
        *tested([next_one.is_not(None)]),
    )
    return set(connection.execute(query).scalars())


def _within(reach: Reach, table: Any) -> list[ColumnElement[bool]]:
    """Return the conditions of the reach; only the organization is a way to the edges, never a project."""
    own, *narrower = within_table(reach, table)
    return [own, *tested(narrower)]


def _select() -> Select[Any]:
    return select(_EDGES.from_digest, _EDGES.from_kind, _EDGES.to_digest, _EDGES.to_kind)


def _equal(columns: tuple[Column[Any], Column[Any]], key: Key) -> tuple[Any, Any]:
    return columns[0] == key[0], columns[1] == key[1]


def _read(connection: Connection, query: Select[Any]) -> list[Edge]:
    return [Edge((row.from_digest, row.from_kind), (row.to_digest, row.to_kind)) for row in connection.execute(query)]
