"""Graphs of referrers that no test could push one attestation at a time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from chainloop_ci.attestation.referrers import ATTESTATION, GIT_HEAD_COMMIT, Node
from server.store import referrers
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Tenant


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

    def write(self, count: int, *, files: int = 2, shared: tuple[Node, ...] = ()) -> None:
        """Write `count` attestations."""
        project = self.tenant.projects[self.workflow.split("/")[0]]
        workflow = self.tenant.workflows[self.workflow]
        with self.services.database.write() as connection:
            for number in range(count):
                own = (self.file(number, part) for part in range(files))
                nodes = (self.attestation(number), self.commit(number), *own, *shared)
                referrers.add(connection, self.tenant.id, project, workflow, nodes, EPOCH)
