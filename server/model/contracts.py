"""Contracts as they are stored: immutable revisions of raw bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chainloop_ci.api.workflows import Contract, RevisionSummary
from chainloop_ci.contract.types import ContractFormat
from chainloop_ci.digests import Digest

MAX_CONTRACTS = 10_000
"""Of one organization."""
MAX_REVISIONS = 10_000
"""Of one contract."""


@dataclass(frozen=True, slots=True)
class StoredContract:
    """A row of `contracts`, with what its newest revision is."""

    id: str
    organization_id: str
    name: str
    description: str
    latest_revision: int
    digest: Digest
    format: ContractFormat
    created_at: datetime
    updated_at: datetime
    workflows: int = 0

    def api(self) -> Contract:
        """Return the wire form."""
        return Contract(
            name=self.name,
            latest_revision=self.latest_revision,
            digest=self.digest,
            format=self.format,
            created_at=self.created_at,
            updated_at=self.updated_at,
            description=self.description,
            workflows=self.workflows,
        )


@dataclass(frozen=True, slots=True)
class StoredRevision:
    """A row of `contract_revisions`."""

    contract_id: str
    organization_id: str
    name: str
    """Of the contract."""
    revision: int
    latest_revision: int
    raw_body: bytes
    """Exactly what was sent."""
    format: ContractFormat
    digest: Digest
    created_at: datetime
    created_by: str
    enforced_from: datetime
    """From when on runs have to meet it (R19)."""

    @property
    def has_date(self) -> bool:
        """Tell whether it was not enforced at once: who uses the contract could know of it before (R38)."""
        return self.enforced_from > self.created_at


@dataclass(frozen=True, slots=True)
class StoredSummary:
    """A revision without its bytes, as lists show it."""

    revision: int
    digest: Digest
    format: ContractFormat
    created_at: datetime
    created_by: str
    enforced_from: datetime

    def api(self) -> RevisionSummary:
        """Return the wire form."""
        return RevisionSummary(
            self.revision, self.digest, self.format, self.created_at, self.created_by, self.enforced_from
        )
