"""What each kind of verdict means, and what to do about it, for a person who has never seen one (decision 10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from server.model.verdict_kinds import VerdictKind, is_passing, is_pending


@dataclass(frozen=True, slots=True)
class Words:
    """A kind of verdict in words."""

    title: str
    """What holds, as a headline."""
    advice: str = ""
    """What to do; empty: nothing."""


_RERUN = "Run the CI workflow on this commit again: the newest run of a job counts."
_OPERATOR = "Ask an operator of your organization."

WORDS: Mapping[VerdictKind, Words] = MappingProxyType(
    {
        VerdictKind.BLOCKED: Words("An operator has blocked this workflow", _OPERATOR),
        VerdictKind.REFUSED: Words("The attestation was refused", "Correct what was refused, and push again."),
        VerdictKind.GATE_VIOLATION: Words("A policy blocks this commit", "Correct what the policy names."),
        VerdictKind.NOT_MET: Words(
            "The contract is not met", "Add what is missing to the job's step, or ask who keeps the contract."
        ),
        VerdictKind.UNVERIFIED: Words(
            "No registered key signed the attestation", "Sign with a key that is registered for this workflow."
        ),
        VerdictKind.DISTRUSTED: Words("An operator distrusts the run", _RERUN),
        VerdictKind.MISSING: Words(
            "There is no attestation of this commit", "Run the CI workflow on this commit: its step attests it."
        ),
        VerdictKind.NONE_EXPECTED: Words(
            "No workflow is registered here", "An operator registers one: `chainloop workflow create --source …`."
        ),
        VerdictKind.CRAFTING_ERROR: Words("The job failed before its attestation was stored", _RERUN),
        VerdictKind.EXPIRED: Words(
            "The run ended without a push", "Run the job again: it has to push before its run expires."
        ),
        VerdictKind.CANCELED: Words("The run was cancelled", _RERUN),
        VerdictKind.UNTRUSTED_HEAD: Words(
            "A maintainer has to attest this commit",
            "A maintainer runs the CI workflow on this commit from a branch of the repository.",
        ),
        VerdictKind.CLAIMED: Words(
            "The forge has not confirmed the run yet", "The forge is asked; nothing has to be done unless this stays."
        ),
        VerdictKind.LATE: Words(
            "The attestation came after its job",
            "Run the job again, or ask an operator to let the commit pass.",
        ),
        VerdictKind.EXPECTED: Words("An attestation is expected", "Wait for the CI workflow to end."),
        VerdictKind.INITIALIZED: Words("The attestation is being made", "Wait for the CI workflow to end."),
        VerdictKind.COMPLETE: Words("The attestation is complete and not pushed yet", "Wait for the job's push."),
        VerdictKind.PARTIAL: Words("Not every job has attested yet", "Wait for the CI workflow to end."),
        VerdictKind.REPORTING: Words("Not every workflow has reported yet", "Wait for those that are pending."),
        VerdictKind.UNTRUSTED_HEAD_PASSES: Words("Nobody attested this commit; a setting lets it through"),
        VerdictKind.OVERRIDDEN: Words("An operator has let this commit through"),
        VerdictKind.NO_REQUIREMENTS: Words(
            "The contract asks for nothing", "This is not compliance: an operator gives the contract requirements."
        ),
        VerdictKind.UPCOMING: Words(
            "The contract is met; a newer revision will ask for more",
            "Add what is newly required before it is enforced.",
        ),
        VerdictKind.ADVISORY: Words("The contract is met; policies advise changes"),
        VerdictKind.SUCCESS: Words("The contract is met"),
        VerdictKind.NOT_APPLICABLE: Words("No attestation is required for this change"),
    }
)


def state_word(kind: VerdictKind) -> str:
    """Return what a required status of this kind does: `passes`, `pending` or `fails`."""
    return "passes" if is_passing(kind) else "pending" if is_pending(kind) else "fails"
