"""Graphs of referrers that no test could push one attestation at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from chainloop_ci.attestation.referrers import ATTESTATION, GIT_HEAD_COMMIT, Node
from server.store import referrers
from server.store.tables import referrer_edges, referrer_facts, referrer_nodes
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Tenant

Values = dict[str, Any]
"""A row."""
TABLES = (referrer_nodes, referrer_facts, referrer_edges)


def digest_of(*words: object) -> str:
    """Return a digest that these words alone have."""
    return "sha256:" + hashlib.sha256(repr(words).encode()).hexdigest()


@dataclass(frozen=True)
class Graph:
    """Attestations of one workflow: each refers to a commit, to files of its own, and to what everybody uses."""

    services: Services
    tenant: Tenant
    workflow: str = "app/build"
    name: str = "graph"

    def attestation(self, number: int) -> Node:
        return Node(digest_of(self.tenant.name, self.name, number), ATTESTATION, True)

    def file(self, number: int, part: int) -> Node:
        return Node(digest_of(self.tenant.name, self.name, number, part), "ARTIFACT")

    def commit(self, number: int) -> Node:
        return Node("sha1:" + digest_of(self.name, number)[7:47], GIT_HEAD_COMMIT)

    def own(self, number: int, files: int) -> tuple[Node, ...]:
        """Return the nodes that no other attestation refers to; its own comes first."""
        return (self.attestation(number), self.commit(number), *(self.file(number, part) for part in range(files)))

    def write(self, count: int, *, files: int = 2, shared: tuple[Node, ...] = ()) -> None:
        """Write `count` attestations: the first by the store, the others as its rows with digests of their own."""
        project = self.tenant.projects[self.workflow.split("/")[0]]
        workflow = self.tenant.workflows[self.workflow]
        first = self.own(0, files)
        with self.services.database.write() as connection:
            referrers.add(connection, self.tenant.id, project, workflow, (*first, *shared), EPOCH)
            rows = {table: _rows_of(connection, table, self.tenant.id, first) for table in TABLES}
            pairs = [zip(first, self.own(number, files), strict=True) for number in range(1, count)]
            renamed = [{old.digest: new.digest for old, new in pair} for pair in pairs]
            for table, its in rows.items():
                if others := [_renamed(row, names) for names in renamed for row in its]:
                    connection.execute(insert(table), others)


def _rows_of(connection: Connection, table: Table, organization_id: str, nodes: tuple[Node, ...]) -> list[Values]:
    """Return the rows that begin at one of `nodes`."""
    begins = table.c.from_digest if table is referrer_edges else table.c.digest
    own = (table.c.organization_id == organization_id, begins.in_([node.digest for node in nodes]))
    return [dict(row) for row in connection.execute(select(table).where(*own)).mappings()]


def _renamed(row: Values, names: Mapping[str, str]) -> Values:
    return {column: names.get(value, value) for column, value in row.items()}
