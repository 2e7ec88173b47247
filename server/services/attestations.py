"""Store attestations: everything a client claims is derived again; nothing that differs is kept (R9-R13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.problems import problem_findings
from chainloop_ci.api.runs import Refusal, Stored
from chainloop_ci.attestation.referrers import ATTESTATION, GIT_HEAD_COMMIT, Node, extract
from chainloop_ci.contract.annotations import MATERIAL_PREFIX
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import AttestationRefusedError, ConflictError, NotFoundError
from server.cas.blobs import Blobs
from server.content_check.checker import ContentChecker
from server.model.audit import AuditAction, audit_of
from server.model.events import Event, EventKind, run_event
from server.model.pins import Pin
from server.model.principal import Principal
from server.model.runs import Run
from server.services.metrics_counters import REFUSED_STORES
from server.services.rederive import Accepted, Held, Refused, rederive, rejudge_signer
from server.services.revision_rules import find_too_old
from server.services.run_access import get_held_run, get_pinned_contract, get_run, require_living_token
from server.services.run_events import end_run
from server.services.shared_states import require_unchanged
from server.services.upcoming import list_upcoming
from server.store import (
    artifacts,
    attestations,
    audit,
    counters,
    events,
    organizations,
    pins,
    referrers,
    refusals,
    runs,
    verification_keys,
)
from server.store.attestations import StoredAttestation
from server.store.database import Database

_MAX_LISTED = 5


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """The exact bytes of a stored attestation."""

    digest: Digest
    raw: bytes


class Attestations:
    """Use cases of attestations."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        *,
        back_ends: Mapping[str, Blobs],
        checker: ContentChecker,
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._back_ends = back_ends
        self._checker = checker

    def store(
        self,
        principal: Principal,
        run_id: str,
        raw: bytes,
        handle: str | None,
        *,
        state_digest: Digest | None = None,
    ) -> tuple[Stored, bool]:
        """Store the attestation of a run and end it; tell whether it is new. The same bytes get the same answer.

        `state_digest` names the shared state that it was made of, when the jobs of the run share one.

        Raises:
            PreconditionFailedError: a job has changed the shared state since; nothing is written.
            NotAllowedError: the handle is missing or wrong: nothing is written.
            RunEndedError: the run has ended without this attestation.
            ConflictError: the run has another attestation.
            AttestationRefusedError: with everything that differs; the run keeps its state and lists the refusal (R15).
            CheckerBusyError: contents cannot be checked just now; nothing is written, repeating is safe (R11).
            CheckerUnavailableError: contents cannot be checked at present; nothing is written (R11).
            NotAuthenticatedError: the token has ended meanwhile; nothing is written (T41).
        """
        digest, now = sha256_digest(raw), self._now()
        with self._database.read() as connection:
            run = get_held_run(connection, principal, run_id, handle)
            known = _find_known(connection, run, digest)
            if known:
                return _answer(run, known), False
            run.require_open(now)
            require_unchanged(connection, run, state_digest)
            pin = pins.find(connection, run.organization_id, run.workflow_id, run.contract_revision, now)
            too_old = _refuse_pin(pin, run)
            held = _hold(connection, pin, run, now)
        checked = too_old or rederive(raw, held, self._back_ends, now, checker=self._checker)
        outcome = checked if isinstance(checked, Refused) else self._write(principal, run_id, checked, state_digest)
        if isinstance(outcome, Refused):
            self._write_refusal(principal, run, digest, outcome)
            raise _refusal(run, outcome)
        return outcome

    def get_of_run(self, principal: Principal, run_id: str) -> StoredBundle:
        """Return the attestation of a run.

        Raises:
            NotFoundError: there is no such run, or it has no attestation.
            NotAllowedError: it lies outside the token's scope.
        """
        with self._database.read() as connection:
            run = get_run(connection, principal, run_id)
            found = attestations.find_of_run(connection, principal.organization_id, run.id)
        if found is None:
            raise NotFoundError(f"workflow run {run_id} has no attestation; it is {run.state_at(self._now()).value}")
        return StoredBundle(found.digest, found.bundle)

    def get(self, principal: Principal, digest: str) -> StoredBundle:
        """Return an attestation by its digest.

        Raises:
            NotFoundError: there is none, or it belongs to another organization.
            NotAllowedError: its run lies outside the token's scope.
        """
        with self._database.read() as connection:
            found = attestations.find(connection, principal.organization_id, digest)
        if found is None:
            raise NotFoundError(f"there is no attestation {digest}", hint="`chainloop workflow run list` shows digests")
        attestation, holder = found
        principal.require_reach(project_id=holder.project_id, workflow_id=holder.workflow_id)
        return StoredBundle(attestation.digest, attestation.bundle)

    def _write(
        self, principal: Principal, run_id: str, checked: Accepted, state_digest: Digest | None
    ) -> tuple[Stored, bool] | Refused:
        """Write run, attestation, materials, graph and counters, all or nothing.

        What may have ended while the contents were read is judged again here: the run, the key that signed, the token.
        """
        digest = checked.bundle.digest
        # Made before others have to wait for the end of this transaction.
        nodes = tuple(map(_public, extract(checked.view, digest)))
        with self._database.write() as connection:
            # What ended while others wrote has ended before.
            now = self._now()
            run = get_run(connection, principal, run_id)
            known = _find_known(connection, run, digest)
            if known:
                return _answer(run, known), False
            run.require_open(now)
            require_unchanged(connection, run, state_digest)
            accepted = _rejudge(connection, checked, run, now)
            if isinstance(accepted, Refused):
                return accepted
            commit = accepted.view.head.hash if accepted.view.head else None
            ended = run.attested(digest, now, verified=accepted.verified, commit=commit)
            attestation = _to_store(run, accepted, now)
            stored = _stored_event(self._new_id(), ended, now, len(accepted.materials))
            end_run(connection, ended, now, self._new_id, stored)
            attestations.add(connection, attestation, accepted.materials, run_sequence=run.sequence)
            referrers.add(connection, run.organization_id, run.project_id, run.workflow_id, nodes, now)
            if run.token_id != principal.token_id:
                # The end of the run's own token has ended the run (R6); that of another says nothing of it.
                require_living_token(connection, principal, now)
                done = audit_of(principal, now, AuditAction.ATTESTATION_STORED, run.id, {"digest": digest})
                audit.add(connection, done)
        return _answer(ended, attestation), True

    def _write_refusal(self, principal: Principal, run: Run, digest: Digest, refused: Refused) -> None:
        refusal = Refusal(self._now(), refused.code, digest, problem_findings(refused.findings))
        with self._database.write() as connection:
            present = get_run(connection, principal, run.id)
            runs.save(connection, present.refused())
            refusals.add_store_refusal(
                connection,
                run.organization_id,
                run.id,
                refusal,
                refusal_id=self._new_id(),
                token_id=principal.token_id,
                address=principal.address[:64],
            )
            counters.add(connection, run.organization_id, REFUSED_STORES, refused.code)
            findings = [str(finding) for finding in refused.findings[:_MAX_LISTED]]
            told = {"code": refused.code, "findings": findings, "bundleDigest": digest}
            kind = EventKind.ATTESTATION_REFUSED
            events.add(connection, run_event(self._new_id(), present, refusal.at, kind, told))


def _to_store(run: Run, accepted: Accepted, now: datetime) -> StoredAttestation:
    return StoredAttestation(
        organization_id=run.organization_id,
        digest=accepted.bundle.digest,
        run_id=run.id,
        bundle=accepted.bundle.raw,
        stored_at=now,
        key_id=accepted.key_id,
        verified=accepted.verified,
        verification=accepted.verification,
        new_requirements=accepted.new_requirements,
    )


def _find_known(connection: Connection, run: Run, digest: Digest) -> StoredAttestation | None:
    """Return the run's attestation when it is this one.

    Raises:
        ConflictError: the run has another one.
    """
    if run.attestation_digest is None:
        return None
    if run.attestation_digest != digest:
        raise ConflictError(
            f"workflow run {run.id} already has the attestation {run.attestation_digest}; found another, {digest}",
            hint=f"an attestation is never replaced; see it with `chainloop workflow run describe --id {run.id}`",
        )
    return attestations.find_of_run(connection, run.organization_id, run.id)


def _refuse_pin(pin: Pin | None, run: Run) -> Refused | None:
    """Refuse a run whose pin has become too old (R19): nothing that it attests could make it count."""
    finding = find_too_old(pin, run)
    return Refused(finding.code, (finding,)) if finding else None


def _hold(connection: Connection, pin: Pin | None, run: Run, now: datetime) -> Held:
    pinned = pin.revision if pin else None
    return Held(
        run=run,
        contract=get_pinned_contract(connection, run, pin),
        # All of the organization: one that does not count explains the refusal.
        keys=verification_keys.list_all(connection, run.organization_id),
        artifacts=artifacts.list_of_run(connection, run.organization_id, run.id),
        accept_unsigned=pin is not None and pin.organization.accept_unsigned,
        upcoming=list_upcoming(connection, pin, pinned, now) if pin and pinned else (),
    )


def _rejudge(connection: Connection, accepted: Accepted, run: Run, now: datetime) -> Accepted | Refused:
    keys = verification_keys.list_all(connection, run.organization_id)
    return rejudge_signer(accepted, run, keys, now, accepts_unsigned=lambda: _accepts_unsigned(connection, run))


def _accepts_unsigned(connection: Connection, run: Run) -> bool:
    organization = organizations.find(connection, run.organization_id)
    return organization is not None and organization.accept_unsigned


def _answer(run: Run, attestation: StoredAttestation) -> Stored:
    return Stored(
        digest=attestation.digest,
        run_id=run.id,
        state=run.state,
        verified=attestation.verified,
        verification=attestation.verification,
        new_requirements=attestation.new_requirements,
    )


def _refusal(run: Run, refused: Refused) -> AttestationRefusedError:
    listed = "; ".join(str(finding) for finding in refused.findings[:_MAX_LISTED])
    more = len(refused.findings) - _MAX_LISTED
    return AttestationRefusedError(
        f"the attestation of workflow run {run.id} was refused, the run stays as it was: {listed}"
        + (f"; and {more} more" if more > 0 else ""),
        hint=next((finding.hint for finding in refused.findings if finding.hint), None),
        findings=refused.findings,
    )


def _stored_event(event_id: str, run: Run, now: datetime, materials: int) -> Event:
    return run_event(event_id, run, now, EventKind.ATTESTATION_STORED, {"materials": materials})


def _public(node: Node) -> Node:
    """Keep what follows from the content: other projects share the node, and a user's annotations are not theirs."""
    if node.kind in (ATTESTATION, GIT_HEAD_COMMIT):
        return node
    kept = {name: value for name, value in node.annotations.items() if name.startswith(MATERIAL_PREFIX)}
    return replace(node, annotations=kept)
