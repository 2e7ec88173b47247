"""Derive again everything that an attestation claims (R9-R11): one complete list of what differs.

Contents are looked at last, and only when nothing else differs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import chain

from chainloop_ci.api.limits import MAX_BUNDLE_BYTES
from chainloop_ci.api.runs import ContentPlace, Verification
from chainloop_ci.attestation.bundle import Bundle, pae, read_bundle_strict
from chainloop_ci.attestation.reader import read_statement
from chainloop_ci.attestation.verification import key_id_of_hint
from chainloop_ci.attestation.view import StatementView
from chainloop_ci.contract.types import Contract
from chainloop_ci.contract.upcoming import NewRequirement
from chainloop_ci.digests import Digest
from chainloop_ci.errors import (
    AttestationRefusedError,
    BundleInvalidError,
    ChainloopError,
    Finding,
    SignerNotTrustedError,
    StatementInvalidError,
    limit_findings,
)
from chainloop_ci.signing.public_keys import PublicKey, load_public_key
from server.auth.token_text import holds_token
from server.cas.blobs import Blobs
from server.content_check.checker import ContentChecker
from server.model.attested import attested_of
from server.model.claims import check_claims
from server.model.contracts import StoredRevision
from server.model.keys import StoredKey
from server.model.material_claims import PlacedMaterial, check_materials, place_materials
from server.model.runs import Run
from server.model.secret_claims import check_secrets
from server.model.signers import SignatureVerdict, judge_signature
from server.model.subject_claims import check_subjects
from server.model.verdicts import judge
from server.services.contents import Contents
from server.services.upcoming import judge_upcoming
from server.store.artifacts import HeldArtifact
from server.store.attestations import StoredMaterial


@dataclass(frozen=True, slots=True)
class Held:
    """What the server holds about a run: what a statement is compared with."""

    run: Run
    contract: Contract
    keys: Sequence[StoredKey]
    """All keys of the organization."""
    artifacts: Mapping[Digest, HeldArtifact]
    """What the run uploaded or refers to."""
    accept_unsigned: bool
    upcoming: Sequence[StoredRevision] = ()
    """Newer revisions of the same contract: what only they ask for is no reason to refuse (R38)."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An attestation in which nothing differs."""

    bundle: Bundle
    view: StatementView
    verification: Verification
    materials: tuple[StoredMaterial, ...]
    key_id: Digest | None
    """None: the organization accepts unsigned attestations, and this is one (R4)."""
    new_requirements: tuple[NewRequirement, ...] = ()
    """What it lacks of newer revisions."""

    @property
    def verified(self) -> bool:
        """Tell whether a registered key signed these bytes and the ids match; nothing more (R12)."""
        return self.key_id is not None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an attestation is not stored."""

    code: str
    """Of the step that refused it: the code of its error."""
    findings: tuple[Finding, ...]


def rederive(
    raw: bytes, held: Held, back_ends: Mapping[str, Blobs], now: datetime, *, checker: ContentChecker
) -> Accepted | Refused:
    """Check the exact bytes that were received.

    Each step needs what the one before has established: the statement is parsed once, from verified bytes (R10), and a
    bundle that nobody signed is not looked into.

    Raises:
        CheckerBusyError: other content checks hold the memory or the processor; nothing was decided.
        CheckerUnavailableError: contents cannot be checked at present; nothing was decided.
    """
    try:
        bundle = read_bundle_strict(raw, allow_unsigned=held.accept_unsigned, max_bytes=MAX_BUNDLE_BYTES)
    except ChainloopError as error:
        return Refused(BundleInvalidError.code, _findings(error))
    verdict = _judge_signature(bundle, held.run, held.keys, now)
    if refused := _refuse_signer(verdict, lambda: held.accept_unsigned):
        return refused
    try:
        view = read_statement(bundle.payload, max_bytes=MAX_BUNDLE_BYTES)
    except ChainloopError as error:
        return Refused(StatementInvalidError.code, _findings(error))
    return _compare(bundle, view, verdict, held, back_ends, checker)


def _compare(
    bundle: Bundle,
    view: StatementView,
    verdict: SignatureVerdict,
    held: Held,
    back_ends: Mapping[str, Blobs],
    checker: ContentChecker,
) -> Accepted | Refused:
    leaks = check_secrets(view, lambda text: _is_secret(text, held.run))
    if leaks:
        # Alone: other findings show what they found.
        return Refused(AttestationRefusedError.code, leaks)
    sizes = {digest: artifact.stored.size_bytes for digest, artifact in held.artifacts.items()}
    referenced = frozenset(digest for digest, artifact in held.artifacts.items() if not artifact.uploaded)
    placed, misplaced = place_materials(view, held.contract, sizes, referenced)
    claims = chain(
        check_claims(view, held.run, held.contract),
        check_subjects(view, held.run.names.workflow, held.contract),
        check_materials(view, held.contract),
        misplaced,
    )
    if findings := limit_findings(claims):
        # Contents are dear: what is refused anyway does not take the checks' memory from others (T30).
        return Refused(AttestationRefusedError.code, limit_findings(chain(findings, _unchecked(placed))))
    locations = {digest: artifact.stored.backend for digest, artifact in held.artifacts.items()}
    report = Contents(back_ends, locations, checker, held.run.organization_id).check(placed)
    if report.findings:
        return Refused(AttestationRefusedError.code, limit_findings(report.findings))
    checks = {entry.name: entry.content_check for entry in report.materials}
    verification = judge(verdict, view, held.run, held.contract, checks)
    lacks = judge_upcoming(held.contract, held.upcoming, attested_of(view, held.run))
    return Accepted(bundle, view, verification, report.materials, verdict.key_id, lacks)


def _unchecked(placed: Sequence[PlacedMaterial]) -> Iterator[Finding]:
    """Say that there may be more to find, when there are contents to look at."""
    if any(material.kind.check and material.place is not ContentPlace.NOT_STORED for material in placed):
        message = "the contents of the materials were not checked, because the statement is refused without them"
        yield Finding(
            "content-not-checked",
            message,
            path="/predicate/materials",
            hint="they are checked when nothing else differs",
        )


def rejudge_signer(
    accepted: Accepted, run: Run, keys: Sequence[StoredKey], now: datetime, *, accepts_unsigned: Callable[[], bool]
) -> Accepted | Refused:
    """Judge the signer again, by the keys and the setting at the moment of writing: they may have changed since.

    `accepts_unsigned` is asked only when no key that counts signed.
    """
    verdict = _judge_signature(accepted.bundle, run, keys, now, confirmed_by=accepted.key_id)
    if refused := _refuse_signer(verdict, accepts_unsigned):
        return refused
    verification = replace(accepted.verification, signature=verdict.signature, key=verdict.key)
    return replace(accepted, verification=verification, key_id=verdict.key_id)


def _refuse_signer(verdict: SignatureVerdict, accepts_unsigned: Callable[[], bool]) -> Refused | None:
    if verdict.finding and (verdict.is_final or not accepts_unsigned()):
        return Refused(SignerNotTrustedError.code, (verdict.finding,))
    return None


def _is_secret(text: str, run: Run) -> bool:
    digest = hashlib.sha256(text.strip().encode("utf-8", "surrogatepass")).hexdigest()
    return digest == run.handle_sha256 or holds_token(text)


def _judge_signature(
    bundle: Bundle, run: Run, keys: Sequence[StoredKey], now: datetime, *, confirmed_by: Digest | None = None
) -> SignatureVerdict:
    """Return the verdict on a bundle; `confirmed_by` is the key that is known to confirm its bytes."""
    message = pae(bundle)

    def confirms(key: StoredKey) -> bool:
        # Whether a key still counts may change from one moment to the next; whether it confirms these bytes may not.
        if key.id == confirmed_by:
            return True
        public_key = _load_key(key.public_key)
        return any(public_key.verify(signature.value, message) for signature in bundle.signatures)

    return judge_signature(
        keys, run, now, confirms=confirms, signed=bool(bundle.signatures), hint=key_id_of_hint(bundle.hint)
    )


@lru_cache(maxsize=256)
def _load_key(pem: str) -> PublicKey:
    return load_public_key(pem.encode("ascii"))


def _findings(error: ChainloopError) -> tuple[Finding, ...]:
    return tuple(error.findings) or (Finding(error.code, error.message, hint=error.hint),)
