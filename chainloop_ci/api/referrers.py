"""The graph of what refers to what, on the wire (reference section 10)."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import Annotated

from chainloop_ci.api.record import about
from chainloop_ci.records import record


@record
class Referrer:
    """Something that has a digest: an attestation, a material, a commit."""

    digest: str
    kind: str
    downloadable: bool
    created_at: datetime
    metadata: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """Return what tells this node from every other of its organization."""
        return (self.digest, self.kind)


@record
class ReachedReferrer:
    """A node that is not a neighbour of the one that was asked for."""

    depth: Annotated[int, about("Steps from the node that was asked for; 2 or more.")]
    node: Referrer


@record
class ReferrerKey:
    """What names a node."""

    digest: str
    kind: str


@record
class ReferrerLink:
    """One edge: what an attestation refers to, and the run that attested it."""

    attestation: Annotated[ReferrerKey, about("Where the edge begins.")]
    target: Annotated[ReferrerKey, about("The material or commit.")]
    project: str
    workflow: str
    run_id: str
    names: Annotated[tuple[str, ...], about("What the run calls the material; empty for a commit.")] = ()


@record
class ReferrerGraph:
    """A node, a page of its neighbours, and what lies behind them."""

    node: Referrer
    references: Annotated[tuple[Referrer, ...], about("A page of the neighbours, by digest and kind.")]
    next_cursor: str | None = None
    depth: Annotated[int, about("How far was looked.")] = 1
    further: Annotated[tuple[ReachedReferrer, ...], about("What lies behind the neighbours, the nearest first.")] = ()
    links: Annotated[tuple[ReferrerLink, ...], about("The edges between the nodes that are shown.")] = ()
    unfinished: Annotated[
        tuple[ReferrerKey, ...], about("Nodes that have more neighbours than are shown: ask for each by itself.")
    ] = ()
