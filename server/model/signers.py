"""Who signed: which registered key confirms a bundle, and whether that key counts for this workflow now (R3, R4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chainloop_ci.api.runs import Check, Proof
from chainloop_ci.digests import Digest
from chainloop_ci.errors import Finding
from server.model.keys import StoredKey
from server.model.runs import Run

_SIGNATURE_PATH = "/dsseEnvelope/signatures/0/sig"
_HINT_PATH = "/verificationMaterial/publicKey/hint"
_ANOTHER_KEY = (
    "give a key that is registered for the workflow (--key or CHAINLOOP_SIGNING_KEY): the next push signs anew; "
    "or an administrator registers this one with `chainloop organization key add`"
)
_NEW_KEY = (
    "this key does not come back: give the one that took its place (--key or CHAINLOOP_SIGNING_KEY), the next push "
    "signs anew; or ask an administrator for a new one (`chainloop organization key create`)"
)
_ENDED = ("key-retired", "key-revoked")
_ADD_KEY = "an administrator registers a key with `chainloop organization key add`"


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """What is known of a bundle's signature."""

    signature: Check
    key: Check
    key_id: Digest | None = None
    """The registered key that confirms the bytes and counts."""
    finding: Finding | None = None
    """Why the attestation is refused unless the organization accepts unsigned ones."""
    is_final: bool = False
    """The finding refuses it in any case."""

    @property
    def verified(self) -> bool:
        """Tell whether a registered key that counts signed the bytes."""
        return self.key_id is not None


def judge_signature(
    keys: Sequence[StoredKey],
    run: Run,
    now: datetime,
    *,
    confirms: Callable[[StoredKey], bool],
    signed: bool,
    hint: Digest | None,
) -> SignatureVerdict:
    """Return the verdict on a bundle.

    Every key of the organization is tried, those that count first: a key that the bundle names is only tried earlier
    (design decision 6), and one that does not count explains the refusal. `confirms` tells whether a key confirms the
    signature, `signed` whether there is one, `hint` which key the bundle names.
    """
    if not signed:
        finding = Finding("signature-missing", "expected a signature, found none", path=_SIGNATURE_PATH, hint=_ADD_KEY)
        return SignatureVerdict(
            Check(Proof.NO, "the bundle is not signed"), Check(Proof.NOT_SHOWN, "not signed"), None, finding
        )
    ordered = sorted(keys, key=lambda key: (_why_not(key, run, now) is not None, key.id != hint))
    signer = next((key for key in ordered if confirms(key)), None)
    if signer is None:
        return _unknown(keys, run, now, hint)
    problem = _why_not(signer, run, now)
    if problem is not None:
        message = f"{problem.message}; registered for it: {_names(keys, run, now) or 'none'}"
        problem = replace(problem, message=message)
    confirmed = Check(Proof.YES, f"key {signer.name} ({signer.id}) confirms the signed bytes")
    if problem is None:
        reason = f"registered as {signer.name} for workflow {run.names.project}/{run.names.workflow}"
        return SignatureVerdict(confirmed, Check(Proof.YES, reason), signer.id)
    return SignatureVerdict(
        confirmed, Check(Proof.NO, problem.message), None, problem, is_final=problem.code == "key-revoked"
    )


def _why_not(key: StoredKey, run: Run, now: datetime) -> Finding | None:
    """Return why a registered key does not count for a run now, or None."""
    problem = key.why_not_at(now)
    if problem is None and not key.covers(run.project_id, run.workflow_id):
        workflow = f"{run.names.project}/{run.names.workflow}"
        problem = Finding("key-out-of-scope", f"key {key.name} ({key.id}) is not registered for workflow {workflow}")
    if problem is None:
        return None
    return replace(problem, path=_HINT_PATH, hint=_NEW_KEY if problem.code in _ENDED else _ANOTHER_KEY)


def _unknown(keys: Sequence[StoredKey], run: Run, now: datetime, hint: Digest | None) -> SignatureVerdict:
    workflow = f"{run.names.project}/{run.names.workflow}"
    named = next((key for key in keys if key.id == hint), None)
    if named is not None:
        message = (
            f"the signature does not match the signed bytes, though the bundle names key {named.name} ({named.id})"
        )
        finding = Finding(
            "signature-invalid", message, path=_SIGNATURE_PATH, hint="attest again; do not edit the bundle"
        )
        return SignatureVerdict(Check(Proof.NO, message), Check(Proof.NO, message), None, finding)
    found = f"the bundle names {hint}" if hint else "the bundle names none"
    tried = _names(keys, run, now) or "none is registered for it"
    message = (
        f"expected a signature by a key registered for workflow {workflow} ({tried}); {found}, and none confirms it"
    )
    finding = Finding("signer-unknown", message, path=_SIGNATURE_PATH, hint=_ANOTHER_KEY)
    return SignatureVerdict(
        Check(Proof.NOT_SHOWN, "no registered key confirms it"), Check(Proof.NOT_SHOWN, message), None, finding
    )


def _names(keys: Sequence[StoredKey], run: Run, now: datetime) -> str:
    """Return the keys that count for a run now."""
    return ", ".join(f"{key.name} ({key.id})" for key in keys if _why_not(key, run, now) is None)
