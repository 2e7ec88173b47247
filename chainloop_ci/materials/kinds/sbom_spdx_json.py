"""SBOM_SPDX_JSON, SPDX 2.2 and 2.3. Source: reference sections 3.2, 3.3; SPDX Specification 2.3, sections 6, 7 and 11.

Members that the schema does not know are a warning: readers ignore them, and the Go product takes such documents.
"""

from __future__ import annotations

from typing import Any

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.errors import Finding
from chainloop_ci.materials.annotations import Tool, describe_main_component, describe_tools
from chainloop_ci.materials.image_name import canonical_repository
from chainloop_ci.materials.json_document import (
    JsonObject,
    is_spdx3,
    name_document,
    object_of,
    objects_of,
    read_object,
    text_of,
    texts_of,
)
from chainloop_ci.materials.json_schema import (
    SchemaFile,
    find_violations,
    fits_relaxed,
    prepare_schemas,
    refuse_violations,
    warn_of_violations,
)
from chainloop_ci.materials.rejection import rejected
from chainloop_ci.materials.types import Checked, Form, MainComponent, MaterialKind, MaterialSource

_EXPECTED = "an SPDX 2 SBOM (JSON)"
_TOLERATED = "additionalProperties"
_DOCUMENT = "SPDXRef-DOCUMENT"
_TOOL = "Tool:"


def _relax(schema: Any) -> Any:
    """Return the schema without the rule `_TOLERATED`."""
    if isinstance(schema, list):
        return [_relax(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _relax(entry) for name, entry in schema.items() if name != _TOLERATED}


_SCHEMAS = {
    f"SPDX-{version}": SchemaFile(f"SPDX {version}", f"spdx/{version}-schema.json", relax=_relax)
    for version in ("2.2", "2.3")
}


def _check(raw: bytes, strict: bool) -> Checked:
    document = read_object(raw, _EXPECTED)
    schema = _require_version(document)
    violations = find_violations(schema, document, _EXPECTED)
    refused = violations.without(lambda violation: violation.keyword == _TOLERATED)
    # Of a large document not every violation is listed: then one more pass tells whether all are tolerated.
    if strict and refused and (violations.are_all or not fits_relaxed(schema, document)):
        raise refuse_violations(_EXPECTED, schema, refused)
    component = _main_component(document)
    return Checked(
        annotations={**describe_main_component(component), **describe_tools(_tools(document))},
        main_component=component,
        warnings=warn_of_violations(violations),
    )


def _require_version(document: JsonObject) -> SchemaFile:
    if is_spdx3(document):
        raise rejected(
            _EXPECTED,
            "an SPDX 3 document, which is another format: only SPDX 2.2 and 2.3 are read",
            hint="let the tool write SPDX 2.3 or a CycloneDX SBOM",
        )
    schema = _SCHEMAS.get(text_of(document.get("spdxVersion")))
    if schema is None:
        message = f'expected "spdxVersion" one of {", ".join(_SCHEMAS)}'
        finding = Finding("unknown-version", f"{message}, found {name_document(document)}", path="/spdxVersion")
        raise rejected(_EXPECTED, name_document(document), findings=[finding])
    return schema


def _main_component(document: JsonObject) -> MainComponent | None:
    package = _described_package(document)
    name = text_of(package.get("name"))
    if not name:
        return None
    kind = text_of(package.get("primaryPackagePurpose")).lower()
    full_name = canonical_repository(name) if kind == "container" else name
    return MainComponent(full_name, text_of(package.get("versionInfo")), kind)


def _described_package(document: JsonObject) -> JsonObject:
    """Return the first package that the document describes; a single package needs no relationship that says so."""
    packages = objects_of(document.get("packages"))
    by_id = {text_of(package.get("SPDXID")): package for package in packages}
    described = (by_id[name] for name in _described_ids(document) if name in by_id)
    return next(described, packages[0] if len(packages) == 1 else {})


def _described_ids(document: JsonObject) -> list[str]:
    own_id = text_of(document.get("SPDXID")) or _DOCUMENT
    related = [
        text_of(relationship.get("relatedSpdxElement"))
        for relationship in objects_of(document.get("relationships"))
        if relationship.get("relationshipType") == "DESCRIBES" and relationship.get("spdxElementId") == own_id
    ]
    return related + texts_of(document.get("documentDescribes"))


def _tools(document: JsonObject) -> list[Tool]:
    """Return the creators `Tool: name-version`; the first hyphen ends the name."""
    creators = texts_of(object_of(document.get("creationInfo")).get("creators"))
    names = (creator.removeprefix(_TOOL).strip().partition("-") for creator in creators if creator.startswith(_TOOL))
    return [Tool(name, version) for name, _, version in names if name]


SBOM_SPDX_JSON = MaterialKind(
    type=MaterialType.SBOM_SPDX_JSON,
    source=MaterialSource.DOCUMENT,
    title="SPDX 2 SBOM (JSON)",
    check=_check,
    forms=(Form.JSON_OBJECT,),
    marker=b'"spdxVersion"',
    prepare=lambda: prepare_schemas(_SCHEMAS.values()),
)
