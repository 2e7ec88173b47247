"""What is gathered while a third party is asked whether a registration will do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from server.integrations.types import Checked
from server.model.app_installations import Installation
from server.model.integrations import BoundRepository


@dataclass(slots=True)
class CheckNotes:
    """Findings, warnings and facts, in the order in which they come up."""

    findings: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    repositories: list[BoundRepository] = field(default_factory=list)
    visibility: dict[str, bool] = field(default_factory=dict)
    expires_at: datetime | None = None
    installation: Installation | None = None

    def checked(self) -> Checked:
        """Return what was found out."""
        return Checked(
            findings=tuple(self.findings),
            warnings=tuple(self.warnings),
            credential_expires_at=self.expires_at,
            facts=self.facts,
            repositories=tuple(self.repositories),
            installation=self.installation,
            visibility=self.visibility,
        )
