"""Run the material registry on the bytes that are stored, not on the client's word (R11).

Documents are read into the worker, one at a time and up to a stated size; what was not looked at is recorded as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from chainloop_ci.api.runs import ContentPlace
from chainloop_ci.digests import Digest
from chainloop_ci.errors import Finding, MaterialRejectedError
from chainloop_ci.materials.annotations import FACTS, LENIENT, VALIDATION
from chainloop_ci.materials.content_form import form_of, name_form, wide_encoding_of
from chainloop_ci.materials.rejection import rejected
from chainloop_ci.materials.types import MAX_DESCRIBED_BYTES, Check, Checked, Form, MaterialSource
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
_UPLOAD = "a reference gives no right to read: upload the file for this run to be told what differs"


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
            return self._check_form(material, TOO_LARGE)
        if size > self._left:
            return self._check_form(material, TOO_MUCH)
        self._left -= size
        return self._check_whole(material, kind.check)

    def _check_whole(self, material: PlacedMaterial, check: Check) -> str:
        try:
            checked = check(b"".join(self._blocks(material)), not _is_lenient(material))
        except MaterialRejectedError as error:
            return self._refuse(material, error)
        self._findings += _compare(material, checked.annotations)
        return _describe(checked, material)

    def _check_form(self, material: PlacedMaterial, why_not: str) -> str:
        """Look at the first bytes of what is not checked: an archive named as an SBOM is refused all the same."""
        head = next(self._blocks(material), b"")
        is_wide_xml = Form.XML in material.kind.forms and wide_encoding_of(head)
        if not is_wide_xml and form_of(head) not in material.kind.forms:
            return self._refuse(material, rejected(f"a {material.kind.title}", name_form(head)))
        return why_not

    def _refuse(self, material: PlacedMaterial, error: MaterialRejectedError) -> str:
        self._findings += _rejected(material, error)
        return f"not checked: refused as {material.kind.type}"

    def _compare_small(self, material: PlacedMaterial) -> None:
        """Derive the facts again that `add` found in a small file; a larger one has none."""
        describe, size = material.kind.describe_small, material.size_bytes or 0
        if describe is None or size > self._left:
            return
        if size > MAX_DESCRIBED_BYTES:
            self._findings += _compare(material, {})
            return
        self._left -= size
        self._findings += _compare(material, describe(b"".join(self._blocks(material))))

    def _blocks(self, material: PlacedMaterial) -> Iterator[bytes]:
        if material.view.content is not None:
            return iter((material.view.content,))
        digest = material.view.digest
        if digest is None:
            raise ValueError(f"material {material.view.name} has no digest")
        return self._back_ends[self._locations[digest]].read(digest)


def _is_lenient(material: PlacedMaterial) -> bool:
    """Tell whether the signed statement says that the published schema was not insisted on."""
    return material.view.annotations.get(VALIDATION) == LENIENT


def _describe(checked: Checked, material: PlacedMaterial) -> str:
    how = f"{CHECKED} leniently, as the job asked" if _is_lenient(material) else CHECKED
    if not checked.warnings or material.is_hidden:
        return how
    return f"{how}, with warnings: {'; '.join(checked.warnings)}"[:_MAX_NOTE]


def _rejected(material: PlacedMaterial, error: MaterialRejectedError) -> Iterator[Finding]:
    """Say which material it is and keep the places inside its document."""
    name = f"material {material.view.name} ({material.kind.type})"
    if material.is_hidden:
        message = f"{name}: the content that the run refers to does not fit its type"
        yield Finding("material-rejected", message, path=material.path, hint=_UPLOAD)
        return
    yield Finding("material-rejected", f"{name}: {error.message}", path=material.path, hint=error.hint)
    for finding in error.findings:
        place = f" at {finding.path}" if finding.path else ""
        yield replace(finding, message=f"{name}{place}: {finding.message}", path=material.path)


def _compare(material: PlacedMaterial, derived: Mapping[str, str]) -> Iterator[Finding]:
    """Compare the facts that the statement gives about a document with those that are derived from its content."""
    said, name = material.view.annotations, material.view.name
    differing = sorted(key for key in FACTS if said.get(key) != derived.get(key))
    if differing and material.is_hidden:
        message = f"the content that material {name} refers to has other facts than the statement"
        yield Finding("annotation-differs", message, path=material.path, hint=_UPLOAD)
        return
    for key in differing:
        message = (
            f"the content of material {name} says {key} is {_shown(derived.get(key))}, found {_shown(said.get(key))}"
        )
        yield Finding("annotation-differs", message, path=f"{material.path}/annotations/{key}")


def _shown(value: str | None) -> str:
    return "nothing" if value is None else repr(value[:80])
