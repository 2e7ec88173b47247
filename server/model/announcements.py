"""What the teams of a repository are told once of a contract revision that waits for its date (R38). Pure.

It is the content of a `contract.announced` event: one for each repository, not one for each of its workflows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chainloop_ci.api.record import from_dict, to_dict
from server.model.notices import Notice
from server.model.sources import StoredSource
from server.model.verdict_content import ForgeRepository

MAX_WORKFLOWS = 200
"""Of one announcement; more make a second one."""


@dataclass(frozen=True, slots=True)
class AnnouncedRequirement:
    """One thing that will be asked for."""

    message: str
    hint: str | None = None
    """What to type about it."""


@dataclass(frozen=True, slots=True)
class AnnouncedWorkflow:
    """A workflow whose last attestation lacks something."""

    id: str
    project: str
    name: str
    team: str = ""
    requirements: tuple[AnnouncedRequirement, ...] = ()


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is told."""

    contract_id: str
    name: str
    """Of the contract."""
    revision: int
    enforced_from: datetime
    workflows: tuple[AnnouncedWorkflow, ...]
    repository: ForgeRepository | None = None
    """Where they come from; None: from nowhere that is registered."""
    names_allowed: bool = False
    """Whether readers of the repository may know the names of materials (R47)."""

    @property
    def lane(self) -> str:
        """Return what is told in order: everything of one revision in one repository."""
        place = self.repository
        where = f"{place.host}/{place.id}" if place else ""
        return f"notice:{where}:{self.contract_id}@{self.revision}"

    def to_facts(self) -> dict[str, Any]:
        """Return the facts of the event."""
        return to_dict(self)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Announcement:
        """Return what `to_facts` wrote.

        Raises:
            ValueError: it is not that.
        """
        return from_dict(cls, facts)


def group(found: Iterable[Notice], places: Mapping[str, StoredSource]) -> Iterator[tuple[Announcement, list[Notice]]]:
    """Yield what is told of notices of one revision, with those it is made of; `places` are sources by workflow id."""
    by_place: dict[str, list[Notice]] = {}
    for notice in found:
        source = places.get(notice.workflow_id)
        by_place.setdefault(source.id if source else "", []).append(notice)
    for notices in by_place.values():
        for start in range(0, len(notices), MAX_WORKFLOWS):
            some = notices[start : start + MAX_WORKFLOWS]
            yield _announce(some, places.get(some[0].workflow_id)), some


def _announce(notices: list[Notice], source: StoredSource | None) -> Announcement:
    first = notices[0]
    return Announcement(
        contract_id=first.contract_id,
        name=first.contract,
        revision=first.revision,
        enforced_from=first.enforced_from,
        workflows=tuple(map(_workflow, notices)),
        repository=_repository(source) if source else None,
        names_allowed=source is not None and source.names_allowed,
    )


def _workflow(notice: Notice) -> AnnouncedWorkflow:
    asked = tuple(AnnouncedRequirement(item.message, item.hint) for item in notice.requirements)
    return AnnouncedWorkflow(notice.workflow_id, notice.project, notice.workflow, notice.team, asked)


def _repository(source: StoredSource) -> ForgeRepository:
    address = source.address
    return ForgeRepository(address.kind.value, address.host, source.repository_id or "", address.repository)
