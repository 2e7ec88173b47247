"""SARIF, version 2.1.0. Source: reference sections 3.2 and 3.3; the OASIS Standard SARIF 2.1.0, section 3.13 on.

The Go product refuses a log without `$schema`. The standard makes it optional (section 3.13.3) and real tools leave it
out, so it is a warning here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.errors import Finding
from chainloop_ci.materials.annotations import SCAN_TYPES, Tool, describe_tool
from chainloop_ci.materials.json_document import (
    JsonObject,
    name_document,
    object_of,
    objects_of,
    read_object,
    shorten,
    text_of,
    texts_of,
)
from chainloop_ci.materials.json_schema import (
    SchemaFile,
    find_violations,
    prepare_schemas,
    refuse_violations,
    warn_of_violations,
)
from chainloop_ci.materials.rejection import rejected
from chainloop_ci.materials.types import Checked, Form, MaterialKind, MaterialSource

_EXPECTED = "a SARIF 2.1.0 log (JSON)"
_VERSION = "2.1.0"
_STRUCTURE = SchemaFile("SARIF 2.1.0", "sarif/sarif-2.1.0-structure.schema.json")

_CHECKMARX = "checkmarx"
_ENGINE = re.compile(r"\(([a-z-]+)\)\Z")
_SCAN_TYPES = {
    "sast": "sast",
    "sca": "sca",
    "kics": "iac",
    "containers": "container",
    "sscs": "supply-chain",
    "secrets": "secrets",
}


def _check(raw: bytes, strict: bool) -> Checked:
    document = read_object(raw, _EXPECTED)
    _require_header(document)
    violations = find_violations(_STRUCTURE, document, _EXPECTED)
    if violations and strict:
        raise refuse_violations(_EXPECTED, _STRUCTURE, violations)
    runs = objects_of(document.get("runs"))
    no_schema = () if text_of(document.get("$schema")) else ('no "$schema": taken as SARIF by its version and runs',)
    return Checked(
        annotations={**describe_tool(_tool(runs)), **_scan_types(runs)},
        warnings=(*no_schema, *warn_of_violations(violations)),
    )


def _require_header(document: JsonObject) -> None:
    version, runs = document.get("version"), document.get("runs")
    if "runs" not in document or not (runs is None or isinstance(runs, list)):
        finding = Finding("wrong-content", 'expected an array "runs"', path="/runs")
        raise rejected(_EXPECTED, name_document(document), findings=[finding])
    if version != _VERSION:
        finding = Finding(
            "unknown-version", f'expected "version": "{_VERSION}", found {shorten(version)}', path="/version"
        )
        raise rejected(_EXPECTED, name_document(document), findings=[finding])


def _driver(run: JsonObject) -> JsonObject:
    return object_of(object_of(run.get("tool")).get("driver"))


def _tool(runs: list[JsonObject]) -> Tool | None:
    driver = _driver(runs[0]) if runs else {}
    return Tool(text_of(driver.get("name")), text_of(driver.get("version"))) if driver else None


def _scan_types(runs: list[JsonObject]) -> dict[str, str]:
    """Return what Checkmarx scanned: each rule id of its results ends in the engine, `Reflected_XSS (sast)`."""
    types = {
        _SCAN_TYPES[engine] for engine in _engines(run for run in runs if _is_checkmarx(run)) if engine in _SCAN_TYPES
    }
    return {SCAN_TYPES: ",".join(sorted(types))} if types else {}


def _engines(runs: Iterable[JsonObject]) -> Iterable[str]:
    for run in runs:
        for result in objects_of(run.get("results")):
            match = _ENGINE.search(text_of(result.get("ruleId")))
            if match:
                yield match[1]


def _is_checkmarx(run: JsonObject) -> bool:
    driver = _driver(run)
    if _CHECKMARX in text_of(driver.get("name")).lower():
        return True
    rules = objects_of(driver.get("rules"))
    return any(_CHECKMARX in texts_of(object_of(rule.get("properties")).get("tags")) for rule in rules)


SARIF = MaterialKind(
    type=MaterialType.SARIF,
    source=MaterialSource.DOCUMENT,
    title="SARIF 2.1.0 log (JSON)",
    check=_check,
    forms=(Form.JSON_OBJECT,),
    marker=b'"runs"',
    prepare=lambda: prepare_schemas([_STRUCTURE]),
)
