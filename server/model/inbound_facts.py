"""What one webhook says, in words for all forges: a hint, never a proof (3.5, rule 9)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from chainloop_ci.api.record import from_dict, to_dict
from server.model.forge_facts import LONG_AGO, ForgeJob, ForgeRun, Head


@dataclass(frozen=True, slots=True)
class SeenHead:
    """A head, before it has its source; and what the branch pointed to before."""

    head: Head
    before: str | None = None


@dataclass(frozen=True, slots=True)
class SeenJob:
    """A job of a CI run that is not described itself."""

    ci_run_id: str
    attempt: int
    told_at: datetime
    job: ForgeJob
    head_sha: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was asked or seen and is no state: it becomes an event, and others do what it asks for."""

    kind: str
    """An `EventKind`."""
    subject: str
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InboundFacts:
    """Everything that one payload says; heads and runs have no source yet, nor the time at which they were seen."""

    heads: tuple[SeenHead, ...] = ()
    runs: tuple[ForgeRun, ...] = ()
    jobs: tuple[SeenJob, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether it says nothing that concerns us."""
        return not (self.heads or self.runs or self.jobs or self.notes)

    def of(self, organization_id: str, source_id: str, seen_at: datetime) -> InboundFacts:
        """Return the same, with the source that it is about and the time at which the server heard of it.

        Nothing has ended later than that, whatever it says: all that comes until a CI run's end is taken for its own.
        """
        place: dict[str, Any] = {"organization_id": organization_id, "source_id": source_id, "seen_at": seen_at}
        return replace(
            self,
            heads=tuple(replace(seen, head=replace(seen.head, **place)) for seen in self.heads),
            runs=tuple(
                replace(run, **place, ended_at=min(run.ended_at, seen_at) if run.ended_at else None)
                for run in self.runs
            ),
        )


NOWHERE: Mapping[str, Any] = {"source_id": "", "organization_id": "", "seen_at": LONG_AGO}
"""What a parser writes for the parts that it does not know."""


def facts_to_text(facts: InboundFacts) -> str:
    """Return the JSON in which facts are stored."""
    return json.dumps(to_dict(facts), sort_keys=True)


def facts_from_text(text: str) -> InboundFacts:
    """Return what `facts_to_text` wrote.

    Raises:
        ValueError: it is not that.
    """
    return from_dict(InboundFacts, json.loads(text))
