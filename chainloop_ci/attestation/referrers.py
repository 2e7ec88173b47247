"""The graph that an attestation adds: itself, and what it refers to. Source: reference section 10."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from chainloop_ci.attestation.subject import GIT_HEAD
from chainloop_ci.attestation.view import MaterialView, StatementView
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.digests import Digest
from chainloop_ci.records import record

ATTESTATION = MaterialType.ATTESTATION.value
"""Kind of a node that is an attestation, named by the digest of its bundle."""

GIT_HEAD_COMMIT = "GIT_HEAD_COMMIT"
"""Kind of a node that is a commit, named `sha1:<hash>`."""


@record
class Node:
    """Something that has a digest. One of each (digest, kind) exists."""

    digest: str
    """`sha256:<hex>`, or `sha1:<hex>` of a commit."""
    kind: str
    """A material type, `ATTESTATION` or `GIT_HEAD_COMMIT`."""
    downloadable: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """Return what tells this node from every other."""
        return (self.digest, self.kind)


def extract(view: StatementView, bundle_digest: Digest) -> tuple[Node, ...]:
    """Return the nodes of an attestation: its own comes first, and has an edge to each of the others.

    Materials without digest are skipped, and so is the workflow subject, whose digest nobody else can know.
    """
    attestation = Node(bundle_digest, ATTESTATION, True, _metadata(view), dict(view.annotations))
    nodes = {attestation.key: attestation}
    for node in [*_commits(view), *map(_material, view.materials)]:
        if node is not None:
            nodes.setdefault(node.key, node)
    return tuple(nodes.values())


def _commits(view: StatementView) -> list[Node]:
    return [
        Node(f"{algorithm}:{digits}", GIT_HEAD_COMMIT, annotations=subject.annotations)
        for subject in view.subjects
        if subject.name == GIT_HEAD and subject.material_name is None
        for algorithm, digits in subject.digests.items()
    ]


def _material(material: MaterialView) -> Node | None:
    if material.digest is None:
        return None
    downloadable = material.uploaded or material.inline
    return Node(material.digest, material.type, downloadable, annotations=material.annotations)


def _metadata(view: StatementView) -> dict[str, str]:
    revision = "" if view.contract_revision is None else str(view.contract_revision)
    return {
        "name": view.workflow_name,
        "team": view.team,
        "project": view.project,
        "hasPolicyViolations": _word(view.policy.has_violations),
        "hasGatedPolicyViolations": _word(view.policy.has_gated_violations),
        "projectVersion": view.project_version,
        "projectVersionPrerelease": _word(view.project_version_prerelease),
        "organization": view.organization,
        "contractName": view.contract_name,
        "contractVersion": revision,
    }


def _word(flag: bool) -> str:
    return "true" if flag else "false"
