"""Run the material registry on the bytes that are stored, not on the client's word (R11).

Documents are read into the worker, one at a time and up to a stated size; what was not looked at is recorded as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from chainloop_ci.api.runs import ContentPlace
from chainloop_ci.contract.annotations import MATERIAL_PREFIX
from chainloop_ci.digests import Digest
from chainloop_ci.errors import Finding, MaterialRejectedError
from chainloop_ci.materials.annotations import LENIENT, VALIDATION
from chainloop_ci.materials.types import MAX_DESCRIBED_BYTES, Checked, MaterialSource
from server.cas.blobs import Blobs
from server.model.material_claims import PlacedMaterial
from server.store.attestations import StoredMaterial

MAX_CHECKED_BYTES = 16 * 1024 * 1024
"""Largest document that is checked."""
MAX_CHECKED_TOTAL_BYTES = 128 * 1024 * 1024
"""Documents of one attestation together: more would hold a worker for too long."""

CHECKED = "checked"
TOO_LARGE = f"not checked: larger than {MAX_CHECKED_BYTES // 1024**2} MiB"
TOO_MUCH = f"not checked: the documents of this attestation are larger than {MAX_CHECKED_TOTAL_BYTES // 1024**2} MiB"

_MAX_NOTE = 300


@dataclass(frozen=True, slots=True)
class ContentReport:
    """What became of each material's content check."""

    materials: tuple[StoredMaterial, ...]
    findings: tuple[Finding, ...]


class Contents:
    """Checks the contents of one attestation."""

    def __init__(self, back_ends: Mapping[str, Blobs], locations: Mapping[Digest, str]) -> None:
        """Take the open back ends, and the name of the one that holds each digest."""
        self._back_ends = back_ends
        self._locations = locations
        self._left = MAX_CHECKED_TOTAL_BYTES
        self._findings: list[Finding] = []

    def check(self, placed: Iterable[PlacedMaterial]) -> ContentReport:
        """Return what was checked and everything that is wrong."""
        stored = tuple(
            StoredMaterial(
                name=material.view.name,
                type=material.view.type,
                digest=material.view.digest or "",
                stored=material.place,
                content_check=self._check(material),
            )
            for material in placed
        )
        return ContentReport(stored, tuple(self._findings))

    def _check(self, material: PlacedMaterial) -> str:
        kind, source = material.kind, material.kind.source
        if material.place is ContentPlace.NOT_STORED:
            return ContentPlace.NOT_STORED.value
        if source is MaterialSource.LITERAL:
            return CHECKED
        if kind.check is None:
            self._compare_small(material)
            return f"not checked: a material of type {kind.type} may hold anything"
        size = material.size_bytes or 0
        if size > MAX_CHECKED_BYTES:
            return TOO_LARGE
        if size > self._left:
            return TOO_MUCH
        self._left -= size
        try:
            checked = kind.check(self._read(material), not _is_lenient(material))
        except MaterialRejectedError as error:
            self._findings += _rejected(material, error)
            return f"not checked: refused as {kind.type}"
        self._findings += _compare(material, checked.annotations)
        return _describe(checked, lenient=_is_lenient(material))

    def _compare_small(self, material: PlacedMaterial) -> None:
        """Derive the facts again that `add` found in a small file."""
        describe = material.kind.describe_small
        if describe and (material.size_bytes or 0) <= min(MAX_DESCRIBED_BYTES, self._left):
            self._left -= material.size_bytes or 0
            self._findings += _compare(material, describe(self._read(material)))

    def _read(self, material: PlacedMaterial) -> bytes:
        if material.view.content is not None:
            return material.view.content
        digest = material.view.digest
        if digest is None:
            raise ValueError(f"material {material.view.name} has no digest")
        return b"".join(self._back_ends[self._locations[digest]].read(digest))


def _is_lenient(material: PlacedMaterial) -> bool:
    """Tell whether the signed statement says that the published schema was not insisted on."""
    return material.view.annotations.get(VALIDATION) == LENIENT


def _describe(checked: Checked, *, lenient: bool) -> str:
    how = f"{CHECKED} leniently, as the job asked" if lenient else CHECKED
    return f"{how}, with warnings: {'; '.join(checked.warnings)}"[:_MAX_NOTE] if checked.warnings else how


def _rejected(material: PlacedMaterial, error: MaterialRejectedError) -> Iterator[Finding]:
    """Say which material it is and keep the places inside its document."""
    name = f"material {material.view.name} ({material.kind.type})"
    yield Finding("material-rejected", f"{name}: {error.message}", path=material.path, hint=error.hint)
    for finding in error.findings:
        place = f" at {finding.path}" if finding.path else ""
        yield replace(finding, message=f"{name}{place}: {finding.message}", path=material.path)


def _compare(material: PlacedMaterial, derived: Mapping[str, str]) -> Iterator[Finding]:
    """Compare the facts that the statement gives about a document with those that are derived from its content."""
    said = material.view.annotations
    for key, value in derived.items():
        if key.startswith(MATERIAL_PREFIX) and said.get(key, value) != value:
            message = (
                f"the content of material {material.view.name} says {key} is {value[:80]!r}, found {said[key][:80]!r}"
            )
            yield Finding("annotation-differs", message, path=f"{material.path}/annotations/{key}")
