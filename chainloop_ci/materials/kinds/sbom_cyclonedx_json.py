"""SBOM_CYCLONEDX_JSON. Source: reference sections 3.2 and 3.3; the CycloneDX specification, versions 1.2 to 1.7."""

from __future__ import annotations

from typing import Any

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.errors import Finding
from chainloop_ci.materials.annotations import (
    VULNERABILITIES_REPORT,
    Tool,
    describe_main_component,
    describe_tools,
)
from chainloop_ci.materials.image_name import canonical_repository
from chainloop_ci.materials.json_document import (
    JsonObject,
    name_document,
    object_of,
    objects_of,
    read_object,
    shorten,
    text_of,
    value_at,
)
from chainloop_ci.materials.json_schema import (
    SchemaFile,
    Violation,
    Violations,
    find_violations,
    fits_relaxed,
    json_pointer,
    prepare_schemas,
    refuse_violations,
    warn_of_violations,
)
from chainloop_ci.materials.rejection import rejected
from chainloop_ci.materials.types import Checked, Form, MainComponent, MaterialKind, MaterialSource

_EXPECTED = "a CycloneDX SBOM (JSON)"
_REPO_DIGEST = "aquasecurity:trivy:RepoDigest"

_BASE = "http://cyclonedx.org/schema/"
_SHARED = ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json", "cryptography-defs.SNAPSHOT.schema.json")


def _relax(schema: dict[str, Any]) -> dict[str, Any]:
    """Take away what `_is_tolerated` tolerates."""
    for holder in (schema, *schema.get("definitions", {}).values()):
        members = holder.get("properties", {})
        members.get("components", {}).pop("uniqueItems", None)
        if "cwes" in members:
            members["cwes"] = {"anyOf": [{"type": "null"}, members["cwes"]]}
    return schema


_SCHEMAS = {
    version: SchemaFile(f"CycloneDX {version}", f"cyclonedx/bom-{version}.SNAPSHOT.schema.json", _BASE, _SHARED, _relax)
    for version in ("1.2", "1.3", "1.4", "1.5", "1.6", "1.7")
}


def _check(raw: bytes, strict: bool) -> Checked:
    document = read_object(raw, _EXPECTED)
    schema = _require_header(document)
    violations = find_violations(schema, document, _EXPECTED)
    refused = violations.without(lambda violation: _is_tolerated(violation, document))
    if strict and refused and not _is_only_untidy(violations, schema, document):
        raise refuse_violations(_EXPECTED, schema, refused)
    component = _main_component(document)
    return Checked(
        annotations={
            **describe_main_component(component),
            **describe_tools(_tools(document)),
            **({VULNERABILITIES_REPORT: "true"} if "vulnerabilities" in document else {}),
        },
        main_component=component,
        warnings=warn_of_violations(violations),
    )


def _require_header(document: JsonObject) -> SchemaFile:
    """Refuse what does not call itself CycloneDX of a known version; the schema is that of its own version."""
    if document.get("bomFormat") != "CycloneDX":
        finding = Finding(
            "wrong-content",
            f'expected "bomFormat": "CycloneDX", found {_found(document, "bomFormat")}',
            path="/bomFormat",
        )
        raise rejected(_EXPECTED, name_document(document), findings=[finding])
    findings = [*_judge_spec_version(document), *_judge_version(document)]
    if findings:
        raise rejected(_EXPECTED, f"one with a wrong header: {findings[0].message}", findings=findings)
    return _SCHEMAS[str(document["specVersion"])]


def _judge_spec_version(document: JsonObject) -> list[Finding]:
    if text_of(document.get("specVersion")) in _SCHEMAS:
        return []
    message = f'expected "specVersion" one of {", ".join(_SCHEMAS)}, found {_found(document, "specVersion")}'
    return [Finding("unknown-version", message, path="/specVersion")]


def _judge_version(document: JsonObject) -> list[Finding]:
    """Refuse a `version` that is no version; the schemas make it optional, with the default 1."""
    version = document.get("version", 1)
    if isinstance(version, int) and not isinstance(version, bool) and version >= 1:
        return []
    message = f'expected "version", a whole number from 1 on, found {_found(document, "version")}'
    return [Finding("schema-violation", message, path="/version")]


def _found(document: JsonObject, member: str) -> str:
    return shorten(document[member]) if member in document else "none"


# --- what real tools get wrong -------------------------------------------------------------------------------------


def _is_tolerated(violation: Violation, document: JsonObject) -> bool:
    """Tell whether a violation is only worth a warning: the same component twice, or `"cwes": null`.

    Twins that share a `bom-ref` are not tolerated: the specification wants it unique, and dependencies name it.
    """
    if violation.keyword == "uniqueItems" and violation.path[-1:] == ("components",):
        components = objects_of(value_at(document, violation.path))
        references = [component["bom-ref"] for component in components if "bom-ref" in component]
        return len({json_pointer([str(reference)]) for reference in references}) == len(references)
    return (
        violation.keyword == "type" and violation.path[-1:] == ("cwes",) and value_at(document, violation.path) is None
    )


def _is_only_untidy(violations: Violations, schema: SchemaFile, document: JsonObject) -> bool:
    """Tell of a document whose violations are too many to be listed whether all of them are tolerated."""
    return not violations.are_all and fits_relaxed(schema, document) and not _has_twin_references(document)


def _has_twin_references(value: object) -> bool:
    """Tell whether the same component stands twice in one array, with a `bom-ref`."""
    if isinstance(value, list):
        return any(map(_has_twin_references, value))
    if not isinstance(value, dict):
        return False
    known: dict[str, JsonObject] = {}
    for component in objects_of(value.get("components")):
        reference = str(component.get("bom-ref", ""))
        if reference and known.setdefault(reference, component) is not component and known[reference] == component:
            return True
    return any(map(_has_twin_references, value.values()))


# --- what it says ------------------------------------------------------------------------------------------------


def _main_component(document: JsonObject) -> MainComponent | None:
    component = object_of(object_of(document.get("metadata")).get("component"))
    name, kind = text_of(component.get("name")), text_of(component.get("type"))
    if not name:
        return None
    version = text_of(component.get("version")) or _property(component, _REPO_DIGEST)
    return MainComponent(canonical_repository(name) if kind == "container" else name, version, kind)


def _property(component: JsonObject, name: str) -> str:
    values = (
        text_of(item.get("value")) for item in objects_of(component.get("properties")) if item.get("name") == name
    )
    return next(values, "")


def _tools(document: JsonObject) -> list[Tool]:
    """Return the tools of `metadata.tools`: an object with components since 1.5, a list before."""
    tools = object_of(document.get("metadata")).get("tools")
    listed = objects_of(object_of(tools).get("components")) or objects_of(tools)
    found = (Tool(text_of(tool.get("name")), text_of(tool.get("version"))) for tool in listed)
    return [tool for tool in found if tool.name]


SBOM_CYCLONEDX_JSON = MaterialKind(
    type=MaterialType.SBOM_CYCLONEDX_JSON,
    source=MaterialSource.DOCUMENT,
    title="CycloneDX SBOM (JSON)",
    check=_check,
    forms=(Form.JSON_OBJECT,),
    marker=b'"CycloneDX"',
    prepare=lambda: prepare_schemas(_SCHEMAS.values()),
)
