"""Uploads: content on its way into the store, bounded and hashed, and whose it is (R7, R8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from chainloop_ci.api.runs import Artifact
from chainloop_ci.digests import Digest, parse_digest
from chainloop_ci.errors import (
    ChainloopError,
    ConflictError,
    Finding,
    NotAllowedError,
    NotFoundError,
    RequestInvalidError,
)
from server.cas.blobs import BLOCK_BYTES, Blobs, Incoming
from server.model.audit import AuditAction, audit_of
from server.model.organizations import StoredOrganization
from server.model.principal import OPERATORS, Principal
from server.model.runs import Run
from server.services.artifacts import content_not_found
from server.services.body_places import BodyPlaces
from server.services.metrics_counters import UPLOAD_BYTES, UPLOADS
from server.services.run_access import get_held_run, require_living_token
from server.services.upload_limits import UploadLimits, clean_filename
from server.store import artifacts, audit, counters, organizations, run_states, runs
from server.store.artifacts import RunArtifact, StoredArtifact
from server.store.database import Database


class Source(Protocol):
    """Where the bytes of an upload come from: the body of a request."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A body on its way in."""

    source: Source
    filename: str = ""
    size_bytes: int | None = None
    """Announced; None when it is sent in chunks."""
    has_come: bool = False
    """It is here whole: to read it keeps no thread waiting."""
    expected: Digest | None = None
    """What it must hash to; None: whatever it hashes to."""
    run_id: str | None = None
    """The run that uploads it."""
    handle: str | None = None


@dataclass(frozen=True, slots=True)
class _Admission:
    """What was decided before the first byte was read."""

    organization: StoredOrganization
    blobs: Blobs
    limits: UploadLimits


class Uploads:
    """Use cases of content that comes in."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        *,
        back_ends: Mapping[str, Blobs],
        max_blob_bytes: int,
        run_quota_bytes: int = 0,
        places: BodyPlaces,
    ) -> None:
        """`run_quota_bytes` bounds what one run may upload; 0 is no bound beside the organization's."""
        self._database = database
        self._now = now
        self._back_ends = back_ends
        self._max_blob_bytes = max_blob_bytes
        self._run_quota_bytes = run_quota_bytes
        self._places = places

    def upload(self, principal: Principal, upload: Upload) -> tuple[Artifact, bool]:
        """Take a blob; tell whether it is new to the organization. The body is hashed whole in any case (R7).

        Raises:
            NotAllowedError: no run is named by a token that needs one, or its handle is missing or wrong.
            NotAuthenticatedError: the token ended while the body came.
            RunEndedError: the run has ended.
            BodyTooLargeError: one blob may not be this large.
            QuotaExceededError: the organization or the run has used up its bytes.
            RequestInvalidError: nothing was sent, or it hashes to another digest.
            StoreFullError: the disk is full; nothing of it was kept.
            UploadsBusyError: too many uploads are on their way (T30).
        """
        with self._database.read() as connection:
            admission = self._admit(connection, principal, upload)
        admission.limits.require_announced(upload.size_bytes)
        with admission.blobs.receive(admission.organization.id) as incoming:
            with nullcontext() if upload.has_come else self._places.hold(principal):
                _copy(upload.source, incoming, admission)
            _require_whole(incoming, upload)
            # The bytes reach the disk before the database is held for writing; only the name is given within.
            incoming.sync()
            return self._keep(principal, upload, incoming, admission)

    def refer(self, principal: Principal, run_id: str, digest: str, handle: str | None, filename: str) -> None:
        """Give a run a reference to content that its organization has; it gets no right to read it (R7).

        Raises:
            NotFoundError: the organization has no such content, or there is no such run.
            NotAllowedError: the handle is missing or wrong.
            RunEndedError: the run has ended.
        """
        now = self._now()
        with self._database.write() as connection:
            run = get_held_run(connection, principal, run_id, handle)
            run.require_open(now)
            if artifacts.find(connection, principal.organization_id, digest) is None:
                raise content_not_found(digest)
            name = clean_filename(filename)
            entry = RunArtifact(run.id, run.organization_id, parse_digest(digest), False, name, now)
            artifacts.add_to_run(connection, entry)
            runs.save(connection, run.accepted(now))

    def _admit(self, connection: Connection, principal: Principal, upload: Upload) -> _Admission:
        run = self._require_run(connection, principal, upload)
        organization = organizations.find(connection, principal.organization_id)
        if organization is None:
            raise NotFoundError(f"there is no organization {principal.organization}")
        blobs = self._back_ends.get(organization.cas_backend)
        if blobs is None:
            raise ConflictError(
                f"organization {organization.name} keeps content inside the attestation "
                f"(CAS back end {organization.cas_backend}); nothing is uploaded",
                hint="an administrator changes that: `chainloop organization update --cas-backend filesystem`",
            )
        known = artifacts.find(connection, principal.organization_id, upload.expected) if upload.expected else None
        # The digest may be known only when the body has come: what the run has uploaded it may send again.
        repeated = artifacts.largest_of_run(connection, run.organization_id, run.id) if run else 0
        limits = self._limits(connection, organization, run, known=known, repeated_bytes=repeated)
        return _Admission(organization, blobs, limits)

    def _require_run(self, connection: Connection, principal: Principal, upload: Upload) -> Run | None:
        if upload.run_id is not None:
            run = get_held_run(connection, principal, upload.run_id, upload.handle)
            run.require_open(self._now())
            return run
        if principal.role not in OPERATORS:
            raise NotAllowedError(
                "a token with the role attest uploads for a run: the query parameter `run` is missing",
                findings=[Finding("missing-run", "expected the id of a run, found none", path="?run")],
                hint="use `chainloop attestation add`; `chainloop artifact upload` needs a token with the role operate",
            )
        principal.require_reach(project_id=None)
        return None

    def _limits(
        self,
        connection: Connection,
        organization: StoredOrganization,
        run: Run | None,
        *,
        known: StoredArtifact | None,
        repeated_bytes: int,
    ) -> UploadLimits:
        of_organization, used = organization.quota_bytes, organization.used_bytes
        if of_organization:
            used += run_states.sum_bytes(connection, organization.id)
        of_run = self._run_quota_bytes if run else 0
        return UploadLimits(
            blob_bytes=self._max_blob_bytes,
            organization_quota_bytes=of_organization,
            organization_left_bytes=max(0, of_organization - used),
            run_quota_bytes=of_run,
            run_left_bytes=max(0, of_run - run.stored_bytes) if run else 0,
            repeated_bytes=repeated_bytes,
            known_bytes=known.size_bytes if known else 0,
        )

    def _keep(
        self, principal: Principal, upload: Upload, incoming: Incoming, admission: _Admission
    ) -> tuple[Artifact, bool]:
        """Write down whose the blob is and keep it, both or neither: no blob stays that no row knows (R8)."""
        was_named = False
        try:
            with self._database.write() as connection:
                recorded = self._record(connection, principal, upload, incoming, admission.organization)
                was_named = True
                incoming.keep()
        except BaseException:
            if was_named:
                # What cannot be removed now is an orphan that `gc` finds; the first error is the one to tell.
                with suppress(ChainloopError):
                    self._drop_unknown(admission, incoming.digest)
            raise
        return recorded

    def _drop_unknown(self, admission: _Admission, digest: Digest) -> None:
        """Remove a blob that was kept although its row was not, unless somebody has it."""
        with self._database.write() as connection:
            if not artifacts.is_held(connection, admission.organization.cas_backend, digest):
                admission.blobs.remove(digest)

    def _record(
        self,
        connection: Connection,
        principal: Principal,
        upload: Upload,
        incoming: Incoming,
        organization: StoredOrganization,
    ) -> tuple[Artifact, bool]:
        """Write down whose the blob is. What was decided before the body came is decided again: time has passed."""
        now, filename = self._now(), clean_filename(upload.filename)
        require_living_token(connection, principal, now)
        run = self._require_run(connection, principal, upload)
        present = organizations.find(connection, principal.organization_id) or organization
        known = artifacts.find(connection, principal.organization_id, incoming.digest)
        again = run and artifacts.is_uploaded_by(connection, run.organization_id, run.id, incoming.digest)
        repeated = incoming.size_bytes if again else 0
        limits = self._limits(connection, present, run, known=known, repeated_bytes=repeated)
        limits.require_fit(incoming.size_bytes)
        artifact = known or StoredArtifact(
            organization_id=principal.organization_id,
            digest=incoming.digest,
            size_bytes=incoming.size_bytes,
            filename=filename,
            backend=organization.cas_backend,
            created_at=now,
            created_by=principal.token_id,
        )
        _keep(connection, artifact, now, is_new=known is None)
        if run is not None:
            entry = RunArtifact(run.id, run.organization_id, artifact.digest, True, filename, now)
            is_new = artifacts.add_to_run(connection, entry)
            runs.save(connection, run.with_upload(incoming.size_bytes if is_new else 0, now))
        if run is None or run.token_id != principal.token_id:
            # An upload for its own run is found with the run.
            facts = {"filename": filename, "bytes": incoming.size_bytes}
            _note_upload(connection, principal, run, artifact.digest, facts, now)
        return artifact.api(), known is None


def _keep(connection: Connection, artifact: StoredArtifact, now: datetime, *, is_new: bool) -> None:
    _count(connection, artifact)
    if is_new:
        artifacts.add(connection, artifact)
    else:
        artifacts.touch(connection, artifact.organization_id, artifact.digest, now)


def _copy(source: Source, incoming: Incoming, admission: _Admission) -> None:
    has_quota, owner = bool(admission.organization.quota_bytes), admission.organization.id
    while block := _read(source, incoming):
        # Other uploads of the organization take space too, before any of them is counted.
        others = admission.blobs.count_arriving(owner) - incoming.size_bytes if has_quota else 0
        admission.limits.require_fit(incoming.size_bytes + len(block), max(0, others))
        incoming.write(block)


def _read(source: Source, incoming: Incoming) -> bytes:
    try:
        return source.read(BLOCK_BYTES)
    except OSError as error:
        raise _broken_off(f"after {incoming.size_bytes} bytes") from error


def _require_whole(incoming: Incoming, upload: Upload) -> None:
    """Refuse a body that is empty, broken off, or another one than the address says."""
    if upload.size_bytes is not None and incoming.size_bytes != upload.size_bytes:
        raise _broken_off(f"{upload.size_bytes} bytes were announced, {incoming.size_bytes} came")
    if incoming.size_bytes == 0:
        message = "expected at least one byte of content, found none"
        raise RequestInvalidError(
            message,
            hint="send the content as body, with Content-Length or in chunks",
            findings=[Finding("empty", message, path="/")],
        )
    expected = upload.expected
    if expected is not None and incoming.digest != expected:
        message = f"the body hashes to {incoming.digest} ({incoming.size_bytes} bytes), the address says {expected}"
        raise RequestInvalidError(
            f"{message}; nothing was kept",
            hint="the file changed while it was sent, or the wrong one was sent: send it again",
            findings=[Finding("digest-differs", message, path="/")],
        )


def _broken_off(how: str) -> RequestInvalidError:
    message = f"the body broke off: {how}"
    finding = Finding("body-incomplete", message, path="/")
    return RequestInvalidError(f"{message}; nothing was kept", hint="send it again", findings=[finding])


def _count(connection: Connection, artifact: StoredArtifact) -> None:
    counters.add(connection, artifact.organization_id, UPLOADS)
    counters.add(connection, artifact.organization_id, UPLOAD_BYTES, by=artifact.size_bytes)


def _note_upload(
    connection: Connection,
    principal: Principal,
    run: Run | None,
    digest: Digest,
    facts: Mapping[str, object],
    now: datetime,
) -> None:
    """Write down an upload of which no run of the token tells."""
    detail = {**facts, **({"run": run.id} if run else {})}
    audit.add(connection, audit_of(principal, now, AuditAction.ARTIFACT_UPLOADED, digest, detail))
