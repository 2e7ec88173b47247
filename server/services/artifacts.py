"""Artifacts: content by digest, per organization; who uploaded it decides who may read it (R7, R8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain

from sqlalchemy import Connection

from chainloop_ci.api.access import Role
from chainloop_ci.api.runs import Artifact
from chainloop_ci.errors import NotAllowedError, NotFoundError
from server.cas.blobs import Blobs
from server.model.principal import Principal
from server.services.body_places import WAITED_FOR_BYTES, BodyPlaces
from server.services.run_details import read_stored_statement
from server.services.upload_limits import clean_filename
from server.store import artifacts, attestations
from server.store.database import Database


@dataclass(frozen=True, slots=True)
class Download:
    """A blob on its way out."""

    artifact: Artifact
    blocks: Iterator[bytes]
    """The last block comes only when the whole hashes to the digest."""
    release: Callable[[], None]
    """To be called when no more of it is sent."""


class Artifacts:
    """Use cases of content that is there."""

    def __init__(self, database: Database, *, back_ends: Mapping[str, Blobs], places: BodyPlaces) -> None:
        self._database = database
        self._back_ends = back_ends
        self._places = places

    def get(self, principal: Principal, digest: str) -> Artifact:
        """Return what is known of a blob that the principal may read.

        Raises:
            NotFoundError: the organization has no such content.
            NotAllowedError: it lies outside the token's scope, or a job asks for what its runs did not upload.
        """
        with self._database.read() as connection:
            return self._find(connection, principal, digest)[0]

    def open(self, principal: Principal, digest: str) -> Download:
        """Return a blob that the principal may read.

        Raises:
            NotFoundError: the organization has no such content.
            NotAllowedError: it lies outside the token's scope, or a job asks for what its runs did not upload.
            BlobCorruptError: the stored content is no longer what its name says.
            UploadsBusyError: too much is on its way (T30).
        """
        with self._database.read() as connection:
            artifact, content = self._find(connection, principal, digest)
        blocks = iter([content]) if isinstance(content, bytes) else self._back_ends[content].read(artifact.digest)
        with ExitStack() as held:
            if artifact.size_bytes > WAITED_FOR_BYTES:
                # Whoever reads slowly holds a thread like somebody who sends slowly.
                held.enter_context(self._places.hold(principal))
            # The first block before the answer begins: a blob of one block that is broken is then a plain refusal.
            return Download(artifact, chain([next(blocks, b"")], blocks), held.pop_all().close)

    def _find(self, connection: Connection, principal: Principal, digest: str) -> tuple[Artifact, str | bytes]:
        """Return a blob with the name of its back end, or with its content when an attestation holds it.

        Absent here and present elsewhere take the same two look-ups (R7).
        """
        stored = artifacts.find(connection, principal.organization_id, digest)
        holder = attestations.find_inline_holder(connection, principal.reach, digest)
        if stored is not None and self._may_read(connection, principal, digest):
            return stored.api(), stored.backend
        if holder is not None:
            return _inline(connection, principal, holder, digest)
        if stored is None:
            raise content_not_found(digest)
        raise NotAllowedError(
            f"this token may not read {digest}: no run in its scope "
            + ("uploaded it" if principal.role is Role.ATTEST else "has it"),
            hint="download it with a token with the role read whose scope covers a run that has it",
        )

    @staticmethod
    def _may_read(connection: Connection, principal: Principal, digest: str) -> bool:
        if principal.role is not Role.ATTEST and principal.reach.is_whole:
            return True
        uploaded_only = principal.role is Role.ATTEST
        return artifacts.is_within(connection, principal.reach, digest, uploaded_only=uploaded_only)


def _inline(connection: Connection, principal: Principal, run_id: str, digest: str) -> tuple[Artifact, bytes]:
    attestation = attestations.find_of_run(connection, principal.organization_id, run_id)
    if attestation is None:
        raise content_not_found(digest)
    for entry in read_stored_statement(attestation).materials:
        if entry.digest == digest and entry.content is not None:
            filename = clean_filename(entry.filename or entry.name)
            return Artifact(entry.digest, len(entry.content), filename, attestation.stored_at), entry.content
    raise content_not_found(digest)


def content_not_found(digest: str) -> NotFoundError:
    """Return the error for content that the organization does not have."""
    return NotFoundError(
        f"this organization has no content {digest}",
        hint="`chainloop workflow run describe` shows which materials were stored",
    )
