"""EVIDENCE: any file that proves something; a small JSON object may say what it is. Source: reference section 3.3."""

from __future__ import annotations

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.errors import MaterialRejectedError
from chainloop_ci.materials.annotations import EVIDENCE_ID, EVIDENCE_SCHEMA
from chainloop_ci.materials.content_form import form_of
from chainloop_ci.materials.json_document import read_object, text_of
from chainloop_ci.materials.types import Form, MaterialKind, MaterialSource

_LEGACY_ID = "id"


def _describe(raw: bytes) -> dict[str, str]:
    """Return id and schema of an evidence envelope; any other file has nothing to say, which is no fault."""
    if form_of(raw) is not Form.JSON_OBJECT:
        return {}
    try:
        document = read_object(raw, "a JSON object")
    except MaterialRejectedError:
        return {}
    evidence_id = text_of(document.get(EVIDENCE_ID)) or text_of(document.get(_LEGACY_ID))
    if not evidence_id or document.get("data") is None:
        return {}
    pairs = {EVIDENCE_ID: evidence_id, EVIDENCE_SCHEMA: text_of(document.get("schema"))}
    return {key: value for key, value in pairs.items() if value}


EVIDENCE = MaterialKind(
    type=MaterialType.EVIDENCE,
    source=MaterialSource.FILE,
    title="evidence",
    describe_small=_describe,
    inferable=False,
)
