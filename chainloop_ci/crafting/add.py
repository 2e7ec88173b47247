"""The use case `add`: put one material into the attestation. Source: reference sections 1.3 and 3."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO

from chainloop_ci.api.limits import MAX_INLINE_BYTES
from chainloop_ci.api.words import CasBackend
from chainloop_ci.attestation.state import CraftedMaterial, CraftingState
from chainloop_ci.contract.annotations import MATERIAL_PREFIX
from chainloop_ci.contract.limits import MAX_MATERIAL_NAME, MAX_MATERIALS, NAME_PATTERN
from chainloop_ci.contract.types import ContractMaterial, MaterialType
from chainloop_ci.contract.upcoming import find_awaited
from chainloop_ci.crafting.annotations import merge_annotations, require_material_annotations
from chainloop_ci.crafting.content import Content, ContentReader
from chainloop_ci.crafting.packing import Pack, require_expected
from chainloop_ci.crafting.ports import ControlPlane, PendingContents, RegistryCredentials, Reporter, StateStore
from chainloop_ci.crafting.status import require_begun
from chainloop_ci.digests import Digest
from chainloop_ci.errors import (
    ConflictError,
    LimitExceededError,
    MaterialConflictError,
    UnreachableError,
    UsageError,
)
from chainloop_ci.records import record

REPLACES_ANNOTATION = f"{MATERIAL_PREFIX}replaces"
"""What was replaced, when and by which job (R17)."""

WORTH_ASKING_BYTES = 8 * 1024 * 1024
"""From this size on the control plane is asked whether it has a digest already (R7)."""

_NAME = re.compile(NAME_PATTERN.replace("$", r"\Z"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@record
class AddRequest:
    """What the user asked for."""

    value: str
    """A path, a text or an image reference."""
    name: str | None = None
    type: MaterialType | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    strict: bool = True
    replace: bool = False
    credentials: RegistryCredentials | None = None
    pack: Pack | None = None
    """Files that become one archive; `value` is then what they were found by."""
    expected: Digest | None = None
    """What a checksums file says of the content."""
    is_further: bool = False
    """One of several files of an entry (`multiple: true`): that the contract does not know its name is no slip."""


class Add:
    """Adds materials to the attestation of this job."""

    def __init__(
        self,
        *,
        store: StateStore,
        control_plane: Callable[[CraftingState], ControlPlane],
        reader: ContentReader,
        now: Callable[[], datetime],
        report: Reporter,
        pending: PendingContents,
        may_queue: bool = False,
    ) -> None:
        """`may_queue`: what the control plane does not take is kept in `pending` (`--on-unreachable queue`)."""
        self._pending = pending
        self._may_queue = may_queue
        self._store = store
        self._control_plane = control_plane
        self._reader = reader
        self._now = now
        self._report = report

    def __call__(self, request: AddRequest) -> CraftedMaterial:
        """Add the material and return it; the same bytes under the same name again change nothing (R17).

        Raises:
            MaterialConflictError: other bytes are there under this name, and `replace` was not asked for.
            MaterialRejectedError: the content is not of its type.
            ContractNotMetError: annotations that the contract asks for have no value.
        """
        state = self._store.load()
        require_begun(state)
        name = _require_name(request.name) if request.name else self._free_name(state)
        entry = state.contract.find_material(name)
        # What only a newer revision asks for (R38) is given with the type that it will have to have.
        awaited = None if entry else find_awaited(state.upcoming, name)
        annotations = self._annotations(name, entry, request.annotations)
        with self._reader.open(
            request.value,
            self._type(entry or awaited, request),
            strict=request.strict,
            credentials=request.credentials,
            pack=request.pack,
        ) as content:
            for notice in content.notices:
                self._report.warning(notice)
            if request.expected:  # before anything of it is sent
                require_expected(content.digest(), request.expected, request.value)
            if entry is None and awaited is None and not request.is_further:
                self._warn_unknown(state, name, content.type, is_typed=bool(request.name))
            known = state.materials.get(name)
            if known and not _replaces(state, name, request):
                same = _require_same(known, content, annotations)
                self._report.info("unchanged: this material was added before", name=name, digest=same.digest)
                return same
            _require_as_removed(state, name, request, content)
            material = self._store_content(state, _describe(name, entry, content, annotations, self._now()), content)
            require_expected(material.digest, request.expected, request.value)  # it may have changed meanwhile
        self._store.update(lambda current: self._put(current, state, material, request))
        self._report.info("material added to attestation", name=name, type=material.type, digest=material.digest)
        return material

    def _free_name(self, state: CraftingState) -> str:
        """Return a name for a material without one (reference section 1.3)."""
        number = (self._now() - _EPOCH) // timedelta(microseconds=1) * 1000
        while f"material-{number}" in state.materials:
            number += 1
        return f"material-{number}"

    def _warn_unknown(self, state: CraftingState, name: str, found: MaterialType, *, is_typed: bool) -> None:
        """Say that the contract asks for no such material: a misspelt name would be signed without a word."""
        entries = state.contract.materials
        fitting = [entry.name for entry in entries if entry.type is found and entry.name not in state.materials]
        if not entries or not (is_typed or fitting):
            return  # it asks for nothing at all, or somebody left the name out of what can only be meant as an extra
        near = _find_near(name, [entry.name for entry in entries]) if is_typed else ""
        hints = {"did_you_mean": near, "would_fit": ",".join(fitting) if not near else ""}
        self._report.warning(
            f"the contract does not know the material {name}; it is added beside what the contract asks for",
            **{fact: text for fact, text in hints.items() if text},
            undo=f"chainloop attestation remove --name {name}",
        )

    def _type(self, entry: ContractMaterial | None, request: AddRequest) -> MaterialType | None:
        if entry is None:
            return request.type
        if request.type not in (None, entry.type):
            self._report.warning(
                "--kind is not used: the contract says the type", contract=entry.type, given=request.type
            )
        return entry.type

    def _annotations(self, name: str, entry: ContractMaterial | None, given: Mapping[str, str]) -> dict[str, str]:
        declared = entry.annotations if entry else ()
        merged, overruled = merge_annotations(declared, {}, given)
        for annotation in overruled:
            self._report.warning(
                "the contract sets this annotation; the other value is not used", annotation=annotation
            )
        require_material_annotations(name, declared, merged)
        return merged

    # --- content -----------------------------------------------------------------------------------------------------

    def _store_content(self, state: CraftingState, material: CraftedMaterial, content: Content) -> CraftedMaterial:
        """Bring the content to where the run keeps it, and return the material with its digest."""
        if content.image or content.value is not None or material.skip_upload or state.dry_run:
            return replace(material, digest=content.digest())
        _require_size(state, content)
        if state.cas.name == CasBackend.INLINE:
            return replace(material, digest=content.digest(), inline=content.read())
        if not state.session.offline:
            try:
                return self._upload(state, material, content)
            except UnreachableError as error:
                if not self._may_queue:
                    raise
                self._report.warning(
                    "the control plane does not answer: what is added from here on is kept for later",
                    reason=error.message,
                )
                self._store.update(CraftingState.gone_offline)
        return self._keep(material, content)

    def _keep(self, material: CraftedMaterial, content: Content) -> CraftedMaterial:
        """Keep the content here: it is sent before the attestation is (R20), which says so already."""
        if content.file is not None:
            content.file.seek(0)
        source = BytesIO(content.raw) if content.raw is not None else content.file
        if source is None:
            raise ValueError("a content is an image, bytes or a file")
        return replace(material, digest=self._pending.keep(source), uploaded=True)

    def _upload(self, state: CraftingState, material: CraftedMaterial, content: Content) -> CraftedMaterial:
        plane = self._control_plane(state)
        if content.raw is not None:
            digest = content.digest()
            self._upload_bytes(plane, state, digest, content, content.raw)
            return replace(material, digest=digest, uploaded=True)
        return replace(material, digest=self._upload_file(plane, state, content), uploaded=True)

    def _upload_bytes(
        self, plane: ControlPlane, state: CraftingState, digest: Digest, content: Content, raw: bytes
    ) -> None:
        run_id, handle, name = state.pin.run_id, state.session.run_handle, content.filename or ""
        if len(raw) > WORTH_ASKING_BYTES and plane.reference_artifact(run_id, handle, digest, name):
            self._report.info("the control plane has this content already", digest=digest)
            return
        meter = self._report.upload(name, len(raw))
        plane.put_artifact(digest, raw, name, run_id=run_id, handle=handle)
        meter.advance(len(raw))
        meter.done(digest)

    def _upload_file(self, plane: ControlPlane, state: CraftingState, content: Content) -> Digest:
        if content.file is None:
            raise ValueError("a content is an image, bytes or a file")
        name = content.filename or ""
        meter = self._report.upload(name, content.size_bytes or 0)
        artifact = plane.upload_stream(
            content.file,
            name,
            run_id=state.pin.run_id,
            handle=state.session.run_handle,
            size_bytes=content.size_bytes,
            progress=meter.advance,
        )
        meter.done(artifact.digest)
        return artifact.digest

    # --- state -------------------------------------------------------------------------------------------------------

    def _put(
        self, current: CraftingState, begun: CraftingState, material: CraftedMaterial, request: AddRequest
    ) -> CraftingState:
        """Return the newest state with the material; others may have written since it was read."""
        if current.initialized_at != begun.initialized_at or current.pin.run_id != begun.pin.run_id:
            raise ConflictError(
                "another attestation was begun here while this material was being added",
                hint="add the material again to put it into the new one",
            )
        known = current.materials.get(material.name)
        is_same = known and (known.digest, known.added_at) == (material.digest, material.added_at)
        if is_same and material.name not in current.carried:
            # Made again on a newer state, and the answer to the first time was lost.
            return current
        before = current.find_digest(material.name)
        if before and before != material.digest:
            if not _replaces(current, material.name, request):
                raise _conflict(material.name, before, material.digest)
            material = replace(material, annotations={**material.annotations, **self._replacement(current, before)})
        if material.name not in current.materials and len(current.materials) >= MAX_MATERIALS:
            raise LimitExceededError(
                f"an attestation holds at most {MAX_MATERIALS} materials", hint="pack what belongs together"
            )
        return current.with_material(material)

    def _replacement(self, state: CraftingState, before: Digest) -> dict[str, str]:
        ci = state.session.ci
        job = "/".join(part for part in (ci.provider, ci.run_id, ci.job) if part)
        return {REPLACES_ANNOTATION: f"{before} at {self._now():%Y-%m-%dT%H:%M:%SZ} by {job}"}


def _replaces(state: CraftingState, name: str, request: AddRequest) -> bool:
    """Tell whether other content may take the place of what is there (R17); in a later attempt it may (R16)."""
    return request.replace or name in state.carried


def _require_as_removed(state: CraftingState, name: str, request: AddRequest, content: Content) -> None:
    """Refuse other content under the name of what was removed (R17)."""
    removed = state.removed.get(name)
    if removed and not _replaces(state, name, request) and content.digest() != removed:
        raise _conflict(name, removed, content.digest())


def _require_name(name: str) -> str:
    if len(name) > MAX_MATERIAL_NAME or not _NAME.match(name):
        raise UsageError(
            f"the name of a material must contain only lowercase letters, numbers, and hyphens, found {name[:80]!r}",
            hint=f"at most {MAX_MATERIAL_NAME} characters, with a letter or number first and last",
        )
    return name


def _describe(
    name: str, entry: ContractMaterial | None, content: Content, annotations: Mapping[str, str], now: datetime
) -> CraftedMaterial:
    """Return the material without its digest, which may be known only after the upload."""
    return CraftedMaterial(
        name=name,
        type=content.type,
        digest=Digest(""),
        added_at=now,
        value=content.value,
        filename=content.filename,
        size_bytes=content.size_bytes,
        image=content.image,
        main_component=content.main_component,
        annotations={**content.annotations, **annotations},
        output=bool(entry and entry.output),
        required=bool(entry and entry.required),
        skip_upload=bool(entry and entry.skip_upload),
    )


def _require_size(state: CraftingState, content: Content) -> None:
    inline = state.cas.name == CasBackend.INLINE
    limit = min(state.cas.max_bytes or MAX_INLINE_BYTES, MAX_INLINE_BYTES) if inline else state.cas.max_bytes
    if limit and (content.size_bytes or 0) > limit:
        raise LimitExceededError(
            f"{content.filename} has {content.size_bytes} bytes; the store {state.cas.name} of this run takes {limit}",
            hint="let the contract set skipUpload for this material, or ask the operator for another store",
        )


def _require_same(known: CraftedMaterial, content: Content, annotations: Mapping[str, str]) -> CraftedMaterial:
    """Return what is there when it is what was to be added (R17)."""
    digest = content.digest()
    if digest != known.digest:
        raise _conflict(known.name, known.digest, digest)
    changed = [name for name, value in annotations.items() if known.annotations.get(name) != value]
    if changed:
        raise MaterialConflictError(
            f"the material {known.name} was added with other annotations: {', '.join(changed)}",
            hint="add --replace to change them",
        )
    return known


def _find_near(name: str, names: Sequence[str]) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, names, n=1)), "")


def _conflict(name: str, before: Digest, digest: Digest) -> MaterialConflictError:
    return MaterialConflictError(
        f"the material {name} was already added with other content: {before}, now {digest}",
        hint="add --replace to take the new content; the attestation records the replacement",
    )
