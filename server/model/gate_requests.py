"""Deployments that wait for the word of a gate, and what the forge is told of them (R36). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from chainloop_ci.api.record import from_dict, to_dict
from server.model.gates import GateReason, GateVerdict
from server.model.verdict_content import ForgeRepository
from server.model.verdict_kinds import VerdictKind, is_pending
from server.model.verdict_summary import plain

PROTECTION = "protection"
"""The part of a delivery that answers a deployment protection rule."""
MAX_COMMENT = 2000
"""In code points."""
_PENDING = frozenset(kind.value for kind in VerdictKind if is_pending(kind))


class GateState(StrEnum):
    """What a deployment was told."""

    WAITING = "waiting"
    """What it needs may still come; nobody decided."""
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class StoredGateRequest:
    """A row of `gate_requests`."""

    organization_id: str
    registration_id: str
    host: str
    """Base URL of the registration, never one of a payload (R43)."""
    repository_id: str
    repository: str
    ci_run_id: str
    environment: str
    sha: str
    requested_at: datetime
    state: GateState = GateState.WAITING
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GateContent:
    """The facts of a `gate.answered` event, from which the answer is made without looking up anything else."""

    repository: ForgeRepository
    ci_run_id: str
    environment: str
    sha: str
    state: GateState
    comment: str
    """Markdown, fit for the repository's readers."""

    @property
    def lane(self) -> str:
        """Return what answers replace each other in."""
        return f"gate:{self.repository.host}/{self.repository.id}:{self.ci_run_id}:{self.environment}"

    def to_facts(self) -> dict[str, Any]:
        """Return the facts of the event, which are also the content of the delivery."""
        return to_dict(self)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> GateContent:
        """Return what `to_facts` wrote.

        Raises:
            ValueError: it is not that.
        """
        return from_dict(cls, facts)


def decide(verdict: GateVerdict) -> GateState:
    """Return what a deployment is told: it waits as long as everything that does not agree may still come."""
    if verdict.approved:
        return GateState.APPROVED
    against = [reason.code for reason in verdict.reasons if not reason.approved]
    return GateState.WAITING if all(code in _PENDING for code in against) else GateState.REJECTED


def content_of(request: StoredGateRequest, verdict: GateVerdict, kind: str) -> GateContent:
    """Return what is told; `kind` is the forge's, as integrations are named."""
    return GateContent(
        repository=ForgeRepository(kind, request.host, request.repository_id, request.repository),
        ci_run_id=request.ci_run_id,
        environment=request.environment,
        sha=request.sha,
        state=decide(verdict),
        comment=_comment(verdict.reasons),
    )


def _comment(reasons: tuple[GateReason, ...]) -> str:
    lines = [f"- {'passes' if reason.approved else 'stops it'}: {plain(reason.message)}" for reason in reasons]
    kept = ""
    for at, line in enumerate(lines):
        rest = f"\n- and {len(lines) - at} more"
        if len(kept) + len("\n") + len(line) + len(rest) > MAX_COMMENT:
            return kept + rest
        kept += f"\n{line}" if kept else line
    return kept
