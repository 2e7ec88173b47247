"""Registry 1: every implemented material type, and how the type of a value is found when nobody says it.

Importing this module is cheap: parsers and schemas are loaded by the first check that needs them.
"""

from __future__ import annotations

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.errors import ContractUnsupportedError, MaterialRejectedError
from chainloop_ci.materials.content_form import form_of
from chainloop_ci.materials.image_name import looks_like_image
from chainloop_ci.materials.kinds.artifact import ARTIFACT
from chainloop_ci.materials.kinds.container_image import CONTAINER_IMAGE
from chainloop_ci.materials.kinds.evidence import EVIDENCE
from chainloop_ci.materials.kinds.junit_xml import JUNIT_XML
from chainloop_ci.materials.kinds.sarif import SARIF
from chainloop_ci.materials.kinds.sbom_cyclonedx_json import SBOM_CYCLONEDX_JSON
from chainloop_ci.materials.kinds.sbom_spdx_json import SBOM_SPDX_JSON
from chainloop_ci.materials.kinds.string import STRING
from chainloop_ci.materials.types import (
    MAX_DOCUMENT_BYTES,
    MAX_INFERRED_ARCHIVE_BYTES,
    Checked,
    Form,
    MaterialKind,
    MaterialSource,
)
from chainloop_ci.records import record

# In the order in which a type is inferred (reference section 1.3).
MATERIALS: tuple[MaterialKind, ...] = (
    SBOM_CYCLONEDX_JSON,
    SBOM_SPDX_JSON,
    JUNIT_XML,
    SARIF,
    CONTAINER_IMAGE,
    ARTIFACT,
    STRING,
    EVIDENCE,
)

IMPLEMENTED: frozenset[MaterialType] = frozenset(kind.type for kind in MATERIALS)
"""What `attestation init` accepts in a contract."""

_KINDS = {kind.type: kind for kind in MATERIALS}
_ARCHIVES = (Form.ZIP, Form.GZIP)


@record
class Inferred:
    """The type that was found, and the check that found it, so that nobody checks twice."""

    kind: MaterialKind
    checked: Checked | None = None
    """None unless the kind is a DOCUMENT."""
    near_misses: tuple[str, ...] = ()
    """For an ARTIFACT that carries the mark of a document type: why it was not taken as one."""


def get_kind(material_type: MaterialType) -> MaterialKind:
    """Return how `material_type` is handled.

    Raises:
        ContractUnsupportedError: this version does not implement it.
    """
    kind = _KINDS.get(material_type)
    if kind is None:
        raise ContractUnsupportedError(
            f"material type {material_type} is not implemented yet",
            hint=f"implemented: {', '.join(sorted(IMPLEMENTED))}; add the file as ARTIFACT or EVIDENCE",
        )
    return kind


def may_be_document(head: bytes, size_bytes: int) -> bool:
    """Tell from first bytes (4 KiB are enough) and size whether a file has to be read whole to infer its type."""
    form = form_of(head)
    limit = MAX_INFERRED_ARCHIVE_BYTES if form in _ARCHIVES else MAX_DOCUMENT_BYTES
    return 0 < size_bytes <= limit and any(form in kind.forms for kind in MATERIALS)


def infer(value: str, raw: bytes | None, *, is_file: bool, strict: bool = True) -> Inferred:
    """Find the type of a value that nobody named; cheap checks first, no network.

    `raw` is the whole content of a file for which `may_be_document` holds, else None. Any other file is an ARTIFACT; a
    value that is no file is a CONTAINER_IMAGE when it is written like one, else a STRING.
    """
    if not is_file:
        return Inferred(CONTAINER_IMAGE if looks_like_image(value) else STRING)
    return _infer_document(raw, strict) if raw else Inferred(ARTIFACT)


def _infer_document(raw: bytes, strict: bool) -> Inferred:
    form = form_of(raw)
    near_misses = []
    for kind in MATERIALS:
        if kind.check is None or not _is_candidate(kind, form, raw):
            continue
        try:
            return Inferred(kind, kind.check(raw, strict))
        except MaterialRejectedError as error:
            if form not in _ARCHIVES:
                near_misses.append(f"not taken as {kind.type}: {error.message}")
    return Inferred(ARTIFACT, near_misses=tuple(near_misses))


def _is_candidate(kind: MaterialKind, form: Form | None, raw: bytes) -> bool:
    fits = kind.inferable and kind.source is MaterialSource.DOCUMENT and form in kind.forms
    return fits and (form in _ARCHIVES or kind.marker in raw)
