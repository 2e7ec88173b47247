"""What a stored attestation does not prove, in plain words; `docs/trust.md` says the same (R12)."""

from __future__ import annotations

from dataclasses import replace

from chainloop_ci.api.runs import Check, Proof, Verification
from server.model.keys import StoredKey

_ALWAYS = (
    "Runner, repository and commit are the word of the job: no CI system has confirmed them.",
    "Whoever can run code in the job, or holds its key and its token, can attest whatever that job could.",
    "No SLSA level is claimed for a key that is held in a CI secret: the job can read it.",
    "Texts, annotations, variables and image digests are recorded as the job gave them.",
)
_UNVERIFIED = "No registered key signed these bytes: nothing shows who made them."
_REVOKED = "The key that signed these bytes was revoked: somebody else may have made them."
_CONTENT = (
    "Some contents were not stored or not checked: of those only the digest is known, and only by the job's word."
)
_NO_REQUIREMENTS = "The contract asks for nothing, so having met it says nothing."


def verification_today(verification: Verification, signer: StoredKey | None) -> Verification:
    """Return what was found out when the attestation was stored, as it holds now.

    A revoked key confirms nothing, whenever it signed (R3): nobody knows since when somebody else has held it.
    """
    if signer is None or signer.revoked_at is None:
        return verification
    ended = signer.why_not_at(signer.revoked_at)
    said = ended.message if ended else ""
    return replace(verification, key=Check(Proof.NO, f"{said}; it counted when this was stored"))


def limits_of_trust(verification: Verification, signer: StoredKey | None = None) -> tuple[str, ...]:
    """Return what is not proven, the most important first."""
    revoked = signer is not None and signer.revoked_at is not None
    return (
        *((_REVOKED if revoked else _UNVERIFIED,) if verification.key.result is not Proof.YES else ()),
        *((_NO_REQUIREMENTS,) if verification.contract.result is not Proof.YES else ()),
        *((_CONTENT,) if verification.content.result is not Proof.YES else ()),
        *_ALWAYS,
    )
