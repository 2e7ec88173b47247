"""Compare the materials of a statement with the contract revision and with what the run stored (R11).

Where a material's content is, and whether it has to be there, is decided here; what it holds, in `services.contents`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from chainloop_ci.api.limits import MAX_INLINE_BYTES
from chainloop_ci.api.runs import ContentPlace
from chainloop_ci.attestation.view import MaterialView, StatementView
from chainloop_ci.contract.annotations import MATERIAL_PREFIX
from chainloop_ci.contract.compliance import check_compliance
from chainloop_ci.contract.limits import MAX_MATERIAL_NAME, MAX_MATERIALS, NAME_PATTERN
from chainloop_ci.contract.types import Contract, MaterialType
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import ContractUnsupportedError, Finding, limit_findings
from chainloop_ci.materials.registry import get_kind
from chainloop_ci.materials.types import MaterialKind, MaterialSource
from server.model.claims import check_fixed_annotations
from server.model.material_notes import SIZE, check_notes

_NAME = re.compile(NAME_PATTERN.removesuffix("$") + r"\Z")


@dataclass(frozen=True, slots=True)
class PlacedMaterial:
    """A material of a known type, and where its content is."""

    index: int
    view: MaterialView
    kind: MaterialKind
    place: ContentPlace
    size_bytes: int | None = None
    """Of the stored content."""
    is_hidden: bool = False
    """The run only refers to the content and may not read it: nothing that is found there is told (R7)."""

    @property
    def path(self) -> str:
        """Return the pointer to it in the statement."""
        return material_path(self.index)


def material_path(index: int) -> str:
    """Return the pointer to a material in the statement."""
    return f"/predicate/materials/{index}"


def check_materials(view: StatementView, contract: Contract) -> tuple[Finding, ...]:
    """Return what the contract revision finds wrong with the materials: missing, of another type, badly named."""
    if len(view.materials) > MAX_MATERIALS:
        message = f"expected at most {MAX_MATERIALS} materials, found {len(view.materials)}"
        return (Finding("too-many-materials", message, path="/predicate/materials"),)
    present = {entry.name: MaterialType(entry.type) for entry in view.materials if _is_type(entry.type)}
    given = {entry.name: entry.annotations for entry in view.materials}
    forms = (finding for at, entry in enumerate(view.materials) for finding in _check_form(at, entry, contract))
    met = check_compliance(contract, present, annotations=view.annotations, material_annotations=given)
    return limit_findings(chain(forms, met))


def place_materials(
    view: StatementView, contract: Contract, stored: Mapping[Digest, int], referenced: frozenset[Digest] = frozenset()
) -> tuple[tuple[PlacedMaterial, ...], tuple[Finding, ...]]:
    """Return where each material's content is, and everything that is missing or does not fit its digest or size.

    `stored` are the sizes of the blobs that this run uploaded or refers to, `referenced` those of them that it did not
    upload.
    """
    placed: list[PlacedMaterial] = []
    findings: list[Finding] = []
    for index, entry in enumerate(view.materials[:MAX_MATERIALS]):
        kind = _find_kind(entry.type)
        if kind is None or entry.digest is None:
            continue
        inline = entry.content is not None
        size = len(entry.content or b"") if inline else stored.get(entry.digest)
        in_store = ContentPlace.CAS if entry.uploaded and size is not None else ContentPlace.NOT_STORED
        place = ContentPlace.INLINE if inline else in_store
        known_size = None if place is ContentPlace.NOT_STORED else size
        is_hidden = place is ContentPlace.CAS and entry.digest in referenced
        material = PlacedMaterial(index, entry, kind, place, known_size, is_hidden)
        placed.append(material)
        findings += _check_place(material, contract, stored)
    return tuple(placed), tuple(findings)


def _check_form(index: int, entry: MaterialView, contract: Contract) -> Iterator[Finding]:
    path = material_path(index)
    if not _NAME.match(entry.name) or len(entry.name) > MAX_MATERIAL_NAME:
        message = f"expected a name of lower-case letters, digits and hyphens, found {entry.name[:80]!r}"
        yield Finding("material-name", message, path=f"{path}/annotations/{MATERIAL_PREFIX}name")
    if _find_kind(entry.type) is None:
        message = f"the type {entry.type[:80]!r} of material {entry.name[:80]} is not one that this server can check"
        yield Finding("material-type", message, path=f"{path}/annotations/{MATERIAL_PREFIX}type")
    if entry.digest is None:
        message = f"the material {entry.name[:80]} has no sha256 digest"
        yield Finding("digest-missing", message, path=f"{path}/digest/sha256")
    yield from check_notes(path, entry, _find_kind(entry.type))
    declared = contract.find_material(entry.name)
    if declared:
        yield from check_fixed_annotations(f"{path}/annotations", declared.annotations, entry.annotations)


def _check_place(material: PlacedMaterial, contract: Contract, stored: Mapping[Digest, int]) -> Iterator[Finding]:
    if material.view.content is not None:
        yield from _check_inline(material, material.view.content)
    yield from _check_source(material, contract)
    if material.view.uploaded and material.kind.source not in (MaterialSource.LITERAL, MaterialSource.IMAGE):
        yield from _check_upload(material, stored)
    yield from _check_size(material)


def _check_source(material: PlacedMaterial, contract: Contract) -> Iterator[Finding]:
    """Check that the content is where the type and the contract want it."""
    entry, name = material.view, material.view.name
    if material.kind.source is MaterialSource.LITERAL:
        if entry.content is None:
            yield _finding(material, "content-missing", f"the text of material {name} is missing", "content")
        if entry.uploaded:
            yield _finding(material, "claim-differs", f"the text {name} is kept in the statement, not uploaded")
    elif material.kind.source is MaterialSource.IMAGE:
        if entry.content is not None or entry.uploaded or entry.inline:
            yield _finding(
                material, "claim-differs", f"the image {name} is never stored here, found a claim that it is"
            )
    elif entry.inline != (entry.content is not None):
        message = f"the material {name} says that its content is {'' if entry.inline else 'not '}in the statement"
        yield _finding(material, "content-missing", f"{message}, found the opposite", "content")
    elif not entry.uploaded and not entry.inline and not _may_skip(name, contract):
        message = f"the content of material {name} is wanted, found neither an upload nor content in the statement"
        yield _finding(material, "content-missing", message, f"annotations/{MATERIAL_PREFIX}cas")


def _check_inline(material: PlacedMaterial, content: bytes) -> Iterator[Finding]:
    found = sha256_digest(content)
    if found != material.view.digest:
        message = f"the content of material {material.view.name} hashes to {found}, expected {material.view.digest}"
        yield _finding(material, "content-differs", message, "content")
    if len(content) > MAX_INLINE_BYTES:
        message = f"content in the statement may have {MAX_INLINE_BYTES} bytes, that of {material.view.name} has more"
        yield _finding(material, "content-too-large", f"{message}: {len(content)}", "content")


def _check_upload(material: PlacedMaterial, stored: Mapping[Digest, int]) -> Iterator[Finding]:
    digest = material.view.digest
    if digest is not None and digest not in stored:
        message = f"material {material.view.name} says that {digest} was uploaded, this run uploaded no such content"
        yield _finding(material, "content-missing", message, "digest/sha256")


def _check_size(material: PlacedMaterial) -> Iterator[Finding]:
    said, found = material.view.size_bytes, material.size_bytes
    if said is not None and found is not None and said != found:
        truth = "another size" if material.is_hidden else found
        message = f"material {material.view.name} says it has {said} bytes, its content has {truth}"
        yield _finding(material, "size-differs", message, f"annotations/{SIZE}")


def _may_skip(name: str, contract: Contract) -> bool:
    entry = contract.find_material(name)
    return entry is not None and entry.skip_upload


def _finding(material: PlacedMaterial, code: str, message: str, field: str = "") -> Finding:
    return Finding(code, message, path=f"{material.path}/{field}".rstrip("/"))


def _is_type(word: str) -> bool:
    return word in MaterialType.__members__.values()


def _find_kind(word: str) -> MaterialKind | None:
    if not _is_type(word):
        return None
    try:
        return get_kind(MaterialType(word))
    except ContractUnsupportedError:
        return None
