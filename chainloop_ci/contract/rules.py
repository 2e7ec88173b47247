"""What a contract must obey beyond its schema. Source: reference sections 2.2 and 15, design decision 8, R24.

These rules also run on documents that break their schema, so that everything is reported at once: they step over
whatever has not the shape they look for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from chainloop_ci.contract.annotations import RESERVED_PREFIX, is_reserved_annotation
from chainloop_ci.contract.nodes import Node, Path, finding_at, place_of
from chainloop_ci.contract.policy_reference import find_reference_problem
from chainloop_ci.contract.secret_names import is_secret_name, secret_name_finding
from chainloop_ci.contract.types import MaterialType, RunnerType
from chainloop_ci.errors import Finding

Items = Iterator[tuple[Path, Any]]


def check_rules(body: Mapping[str, Any], prefix: Path, root: Node) -> list[Finding]:
    """Return every breach in the body of a contract, which stands at `prefix` of the document."""
    return [
        *_check_materials(body, prefix, root),
        *_check_environment(body, prefix, root),
        *_check_annotations(body.get("annotations"), (*prefix, "annotations"), root),
        *_check_runner(body.get("runner"), (*prefix, "runner"), root),
        *_check_policies(body, prefix, root),
    ]


def find_warnings(
    body: Mapping[str, Any], prefix: Path, root: Node, implemented: frozenset[MaterialType] | None
) -> list[Finding]:
    """Return what a valid contract should know: policies and material types that do nothing yet, names given twice."""
    findings = [
        finding_at(root, path, "repeated-variable", f"{name} stands twice") for path, name in _repeated(body, prefix)
    ]
    if body.get("policies") or body.get("policyGroups"):
        place = "policies" if body.get("policies") else "policyGroups"
        message = "policies are checked for their form and recorded, but not evaluated by this version"
        findings.append(finding_at(root, (*prefix, place), "policies-not-evaluated", message))
    for path, material in _mappings(body.get("materials"), (*prefix, "materials")):
        if implemented is not None and material["type"] not in implemented:
            message = f"this version cannot add materials of type {material['type']} yet"
            hint = "init with this contract is refused until then"
            findings.append(finding_at(root, (*path, "type"), "material-type-not-implemented", message, hint))
    return findings


def _mappings(value: object, path: Path) -> Items:
    """Yield the mappings of a list, each with its path."""
    if isinstance(value, list):
        yield from (((*path, at), item) for at, item in enumerate(value) if isinstance(item, dict))


def _texts(value: object, path: Path) -> Items:
    if isinstance(value, list):
        yield from (((*path, at), item) for at, item in enumerate(value) if isinstance(item, str))


def _check_materials(body: Mapping[str, Any], prefix: Path, root: Node) -> Iterator[Finding]:
    materials = list(_mappings(body.get("materials"), (*prefix, "materials")))
    yield from _unique(materials, root, "duplicate-material", "material")
    for path, material in materials:
        yield from _check_annotations(material.get("annotations"), (*path, "annotations"), root)


def _unique(items: list[tuple[Path, Any]], root: Node, code: str, noun: str) -> Iterator[Finding]:
    """Refuse two items of one name."""
    first: dict[str, Path] = {}
    for path, item in items:
        name = item.get("name")
        if isinstance(name, str) and first.setdefault(name, path) is not path:
            line = place_of(root, (*first[name], "name")).line
            message = f"{noun} with name={name[:80]} is duplicated: the first one stands in line {line}"
            yield finding_at(root, (*path, "name"), code, message, f"give each {noun} a name of its own")


def _check_environment(body: Mapping[str, Any], prefix: Path, root: Node) -> Iterator[Finding]:
    for path, name in _texts(body.get("envAllowList"), (*prefix, "envAllowList")):
        if is_secret_name(name):
            finding, place = secret_name_finding(name), finding_at(root, path, "", "")
            yield replace(finding, path=place.path, line=place.line, column=place.column)


def _repeated(body: Mapping[str, Any], prefix: Path) -> Items:
    seen: set[str] = set()
    for path, name in _texts(body.get("envAllowList"), (*prefix, "envAllowList")):
        if name in seen:
            yield path, name
        seen.add(name)


def _check_annotations(value: object, path: Path, root: Node) -> Iterator[Finding]:
    annotations = list(_mappings(value, path))
    yield from _unique(annotations, root, "duplicate-annotation", "annotation")
    for at, annotation in annotations:
        name = annotation.get("name")
        if isinstance(name, str) and is_reserved_annotation(name):
            message = f"annotation names that begin with {RESERVED_PREFIX} are reserved, found {name[:80]!r}"
            yield finding_at(root, (*at, "name"), "reserved-annotation", message, "choose another name")


def _check_runner(runner: object, path: Path, root: Node) -> Iterator[Finding]:
    if not isinstance(runner, dict) or not runner.get("privilegedEvents"):
        return
    named = runner.get("type")
    if isinstance(named, str) and named != RunnerType.GITHUB_ACTION:
        message = f"privilegedEvents are events of {RunnerType.GITHUB_ACTION}, found the runner type {named[:80]!r}"
        hint = "leave them out"
        yield finding_at(root, (*path, "privilegedEvents"), "event-of-another-runner", message, hint)


def _check_policies(body: Mapping[str, Any], prefix: Path, root: Node) -> Iterator[Finding]:
    for path, attachment in _attachments(body, prefix):
        if attachment.get("gate") is True:
            message = "gates are not supported while policies are not evaluated: a gate that never closes would mislead"
            yield finding_at(root, (*path, "gate"), "gate-not-supported", message, "leave gate out, or set it to false")
        reference = attachment.get("ref")
        if isinstance(reference, str) and (problem := find_reference_problem(reference)):
            message = f"{problem}, found {reference[:80]!r}"
            yield finding_at(root, (*path, "ref"), "invalid-policy-reference", message)
        yield from _check_inputs(attachment.get("embedded"), (*path, "embedded"), root)


def _attachments(body: Mapping[str, Any], prefix: Path) -> Items:
    """Yield the policy attachments and the policy groups."""
    policies = body.get("policies")
    if isinstance(policies, dict):
        for place in ("materials", "attestation"):
            yield from _mappings(policies.get(place), (*prefix, "policies", place))
    yield from _mappings(body.get("policyGroups"), (*prefix, "policyGroups"))


def _check_inputs(policy: object, path: Path, root: Node) -> Iterator[Finding]:
    spec = policy.get("spec") if isinstance(policy, dict) else None
    inputs = spec.get("inputs") if isinstance(spec, dict) else None
    for at, argument in _mappings(inputs, (*path, "spec", "inputs")):
        if argument.get("required") is True and "default" in argument:
            message = "a required input has no default: nobody would ever have to give it"
            yield finding_at(root, at, "required-with-default", message, "leave out required or default")
