"""What a stored attestation does not prove, in plain words; `docs/trust.md` says the same (R12)."""

from __future__ import annotations

from chainloop_ci.api.runs import Proof, Verification

_ALWAYS = (
    "Runner, repository and commit are the word of the job: no CI system has confirmed them.",
    "Whoever can run code in the job, or holds its key and its token, can attest whatever that job could.",
    "No SLSA level is claimed for a key that is held in a CI secret: the job can read it.",
    "Texts, annotations, variables and image digests are recorded as the job gave them.",
)
_UNVERIFIED = "No registered key signed these bytes: nothing shows who made them."
_CONTENT = (
    "Some contents were not stored or not checked: of those only the digest is known, and only by the job's word."
)
_NO_REQUIREMENTS = "The contract asks for nothing, so having met it says nothing."


def limits_of_trust(verification: Verification) -> tuple[str, ...]:
    """Return what is not proven, the most important first."""
    return (
        *((_UNVERIFIED,) if verification.key.result is not Proof.YES else ()),
        *((_NO_REQUIREMENTS,) if verification.contract.result is not Proof.YES else ()),
        *((_CONTENT,) if verification.content.result is not Proof.YES else ()),
        *_ALWAYS,
    )
