"""The normalised document of a contract: camelCase, a stable order, defaults left out; and the way back.

It is what `workflow contract lint -o json` prints and what the crafting state holds (`inputSchema` for v1, `schemaV2`
for v2: reference section 1.4). Reading is lenient and loads no schema library: what is stored was checked once, and a
newer version may have added fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from chainloop_ci.contract.types import (
    Annotation,
    Contract,
    ContractMaterial,
    ContractSchema,
    MaterialType,
    PrivilegedEvent,
    RunnerType,
)
from chainloop_ci.errors import ContractInvalidError, Finding

E = TypeVar("E", bound=StrEnum)

_V2_HEADER = {"apiVersion": "chainloop.dev/v1", "kind": "Contract"}


def to_document(contract: Contract) -> dict[str, Any]:
    """Return the normalised document of `contract`, in the form (v1 or v2) that it has."""
    body = _body(contract)
    if contract.schema is ContractSchema.V1:
        return {"schemaVersion": "v1", **body}
    metadata = _given(name=contract.name, description=contract.description)
    return {**_V2_HEADER, "metadata": {**metadata, **contract.metadata}, "spec": body}


def _body(contract: Contract) -> dict[str, Any]:
    return _given(
        materials=[_material(entry) for entry in contract.materials],
        envAllowList=[*contract.env_allow_list],
        runner=_runner_fields(contract),
        annotations=_annotations(contract.annotations),
        policies=contract.policies,
        policyGroups=[*contract.policy_groups],
    )


def _runner_fields(contract: Contract) -> dict[str, Any]:
    events = [event.value for event in contract.privileged_events]
    return _given(type=contract.runner.value if contract.runner else None, privilegedEvents=events)


def _material(entry: ContractMaterial) -> dict[str, Any]:
    return _given(
        type=entry.type.value,
        name=entry.name,
        optional=entry.optional,
        output=entry.output,
        annotations=_annotations(entry.annotations),
        skipUpload=entry.skip_upload,
        group=entry.group,
    )


def _annotations(annotations: tuple[Annotation, ...]) -> list[dict[str, Any]]:
    return [_given(name=annotation.name, value=annotation.value) for annotation in annotations]


def _given(**fields: Any) -> dict[str, Any]:
    """Return the fields that differ from their default."""
    return {name: value for name, value in fields.items() if value}


def from_document(document: object) -> Contract:
    """Return the contract that a stored document describes; unknown fields are ignored.

    Raises:
        ContractInvalidError: a field has not its kind, or names a type that this version does not know.
    """
    top = _mapping(document, "")
    if "spec" not in top and "apiVersion" not in top:
        return _contract(top, "", schema=ContractSchema.V1)
    metadata = _mapping(top.get("metadata"), "/metadata")
    own = {key: value for key, value in metadata.items() if key not in ("name", "description")}
    return _contract(
        _mapping(top.get("spec"), "/spec"),
        "/spec",
        name=_text(metadata.get("name"), "/metadata/name") or None,
        description=_text(metadata.get("description"), "/metadata/description") or None,
        metadata=own,
    )


def _contract(body: Mapping[str, Any], path: str, **header: Any) -> Contract:
    runner = _mapping(body.get("runner"), f"{path}/runner")
    names = _list(body.get("envAllowList"), f"{path}/envAllowList")
    policies = _mapping(body.get("policies"), f"{path}/policies")
    groups = _list(body.get("policyGroups"), f"{path}/policyGroups")
    return Contract(
        materials=_read_materials(body.get("materials"), f"{path}/materials"),
        env_allow_list=tuple(dict.fromkeys(_text(name, f"{path}/envAllowList") for name in names)),
        runner=_runner(runner.get("type"), f"{path}/runner/type"),
        privileged_events=_events(runner.get("privilegedEvents"), f"{path}/runner/privilegedEvents"),
        annotations=_read_annotations(body.get("annotations"), f"{path}/annotations"),
        policies=policies or None,
        policy_groups=tuple(_mapping(group, f"{path}/policyGroups") for group in groups),
        **header,
    )


def _read_materials(value: object, path: str) -> tuple[ContractMaterial, ...]:
    entries = enumerate(_list(value, path))
    return tuple(_read_material(_mapping(entry, f"{path}/{at}"), f"{path}/{at}") for at, entry in entries)


def _read_material(entry: Mapping[str, Any], path: str) -> ContractMaterial:
    return ContractMaterial(
        name=_text(entry.get("name"), f"{path}/name"),
        type=_member(MaterialType, _text(entry.get("type"), f"{path}/type"), f"{path}/type"),
        optional=entry.get("optional") is True,
        output=entry.get("output") is True,
        skip_upload=entry.get("skipUpload") is True,
        group=_text(entry.get("group"), f"{path}/group") or None,
        annotations=_read_annotations(entry.get("annotations"), f"{path}/annotations"),
    )


def _read_annotations(value: object, path: str) -> tuple[Annotation, ...]:
    entries = [_mapping(entry, path) for entry in _list(value, path)]
    return tuple(Annotation(_text(entry.get("name"), path), _text(entry.get("value"), path)) for entry in entries)


def _runner(value: object, path: str) -> RunnerType | None:
    if value is None or value == RunnerType.GENERIC:
        return None
    # Statements of 2022 wrote RUNNER_TYPE_GITHUB_ACTION (reference section 16).
    return _member(RunnerType, _text(value, path).removeprefix("RUNNER_TYPE_"), path)


def _events(value: object, path: str) -> tuple[PrivilegedEvent, ...]:
    names = dict.fromkeys(_text(name, path) for name in _list(value, path))
    return tuple(_member(PrivilegedEvent, name, path) for name in names)


def _member(kind: type[E], name: str, path: str) -> E:
    try:
        return kind(name)
    except ValueError as error:
        raise _unreadable(path, f"a {kind.__name__} that this version knows", name) from error


def _mapping(value: object, path: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _unreadable(path, "a mapping", value)
    return value


def _list(value: object, path: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _unreadable(path, "a list", value)
    return value


def _text(value: object, path: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _unreadable(path, "text", value)
    return value


def _unreadable(path: str, expected: str, found: object) -> ContractInvalidError:
    shown = repr(found[:80]) if isinstance(found, str) else type(found).__name__
    finding = Finding("wrong-type", f"expected {expected}, found {shown}", path=path)
    return ContractInvalidError(f"the contract cannot be read: {finding}", findings=[finding])
