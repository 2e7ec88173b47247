"""Whether the forge confirms what a run says of its CI job (R30)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chainloop_ci.api.source_address import forge_key
from chainloop_ci.runners.types import CiIdentity
from server.model.forge_facts import ForgeRun
from server.model.runs import Run
from server.model.sources import StoredWorkflowSource
from server.model.verdict_facts import Corroboration

CLOCK_SKEW = timedelta(minutes=2)
"""How far the forge's clock may differ from the server's."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client said of its CI job, and when the server heard it."""

    ci: CiIdentity
    began_at: datetime
    """When the server received the init."""
    ended_at: datetime | None = None
    """When it received the store; None: it did not, or there was none."""
    late: bool = False
    """R20: begun after the job on purpose."""

    @classmethod
    def of(cls, run: Run) -> Claim:
        """Return the claim of a run; only a store is a request of the job that has to lie in its time."""
        stored_at = run.finished_at if run.attestation_digest else None
        return cls(run.ci, run.created_at, stored_at, run.late)


def is_about(ci: CiIdentity, bound: StoredWorkflowSource) -> bool:
    """Tell whether a job says that it ran in the repository that is registered for its workflow."""
    address = bound.source.address
    if ci.provider != address.kind.value or not ci.server_url or not ci.repository:
        return False
    same_forge = forge_key(ci.server_url.rstrip("/")).lower() == bound.source.forge.lower()
    return same_forge and ci.repository.lower() == address.repository.lower()


def corroborate(claim: Claim, bound: StoredWorkflowSource, told: ForgeRun | None) -> Corroboration:
    """Return how far a claim is proven by what the forge told of the CI run and attempt that it names.

    The forge's record of that attempt must be of the registered file, of the claimed commit, not of a fork, and its
    times must enclose those of the server.
    """
    if not is_about(claim.ci, bound):
        return Corroboration.CONTRADICTED
    if told is None:
        return Corroboration.CLAIMED
    if told.is_fork or told.head_sha != claim.ci.head_sha or not _is_of_file(told, bound):
        return Corroboration.CONTRADICTED
    if _encloses(told, claim):
        return Corroboration.CORROBORATED
    # R20: that it came late is said; it is no lie.
    return Corroboration.CLAIMED if claim.late else Corroboration.CONTRADICTED


def _is_of_file(told: ForgeRun, bound: StoredWorkflowSource) -> bool:
    return told.ci_file is not None and told.ci_file == bound.expected.ci_file


def _encloses(told: ForgeRun, claim: Claim) -> bool:
    last = claim.ended_at or claim.began_at
    # One that the forge has not begun yet cannot have sent anything.
    started = told.started_at is not None and told.started_at - CLOCK_SKEW <= claim.began_at
    return started and (told.ended_at is None or last <= told.ended_at + CLOCK_SKEW)
