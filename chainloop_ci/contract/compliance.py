"""Whether an attestation has what its contract asks for. One judgement for `push`, the dry run and the server (R11)."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from types import MappingProxyType

from chainloop_ci.contract.types import (
    Annotation,
    Contract,
    ContractMaterial,
    ContractSchema,
    MaterialType,
    PrivilegedEvent,
)
from chainloop_ci.errors import Finding

_NO_TEXTS: Mapping[str, str] = MappingProxyType({})
_NO_ANNOTATIONS: Mapping[str, Mapping[str, str]] = MappingProxyType({})
_PLACEHOLDERS = {MaterialType.STRING: "<text>", MaterialType.CONTAINER_IMAGE: "<image:tag>"}


def check_compliance(
    contract: Contract,
    present: Mapping[str, MaterialType],
    *,
    annotations: Mapping[str, str] = _NO_TEXTS,
    material_annotations: Mapping[str, Mapping[str, str]] = _NO_ANNOTATIONS,
) -> tuple[Finding, ...]:
    """Return everything that is missing or wrong, in contract order; empty when the contract is met.

    `present` are the materials of the attestation by name; those that the contract does not know are allowed.
    `annotations` and `material_annotations` are the ones given when crafting. An annotation that has a value in the
    contract needs none. A finding's path points into the normalised contract.
    """
    return (
        *_check_materials(contract, present, material_annotations, contract.materials_path),
        *_check_annotations(contract, annotations, f"{contract.body_path}/annotations"),
    )


def count_required(contract: Contract) -> int:
    """Return how many materials a contract requires; a group, of which any member will do, counts as one."""
    return sum(entry.required for entry in contract.materials) + len(contract.groups)


def count_present(contract: Contract, present: Container[str]) -> int:
    """Return how many of the required materials are among those of the names `present`, as `count_required` counts."""
    alone = sum(entry.required and entry.name in present for entry in contract.materials)
    return alone + sum(any(member.name in present for member in group) for group in contract.groups.values())


def check_event(contract: Contract, event: str | None) -> Finding | None:
    """Return what is wrong with the event that began a job: one that the contract has to allow, and does not (T04)."""
    if event not in set(PrivilegedEvent) - set(contract.privileged_events):
        return None
    prefix = "" if contract.schema is ContractSchema.V1 else "/spec"
    return Finding(
        "event-not-allowed",
        f"the job was started by the event {event}, in which a stranger's commit may meet the repository's secrets; "
        "the contract does not allow it",
        path=f"{prefix}/runner/privilegedEvents",
        hint="attest in another event (pull_request, push), or let the contract name this one in "
        "runner.privilegedEvents",
    )


def _check_materials(
    contract: Contract, present: Mapping[str, MaterialType], given: Mapping[str, Mapping[str, str]], path: str
) -> Iterator[Finding]:
    groups = contract.groups
    for at, entry in enumerate(contract.materials):
        # A group is judged where its first member stands.
        members = groups.pop(entry.group, ()) if entry.group else ()
        if members and not any(member.name in present for member in members):
            yield _missing_group(members, f"{path}/{at}")
        if entry.name in present:
            yield from _check_present(entry, present[entry.name], given.get(entry.name, {}), f"{path}/{at}")
        elif entry.required:
            message = f"the material {entry.name} ({entry.type}) is required and was not added"
            yield Finding("missing-material", message, path=f"{path}/{at}", hint=f"chainloop {add_command(entry)}")


def _check_present(
    entry: ContractMaterial, found: MaterialType, given: Mapping[str, str], path: str
) -> Iterator[Finding]:
    if found is not entry.type:
        message = f"the material {entry.name} must be of type {entry.type}, it was added as {found}"
        yield Finding(
            "wrong-material-type", message, path=f"{path}/type", hint=f"chainloop {add_command(entry)} --replace"
        )
    for at, annotation in enumerate(entry.annotations):
        if not _has_value(annotation, given):
            message = f"the annotation {annotation.name} of the material {entry.name} has no value"
            hint = f"chainloop {add_command(entry)}"
            yield Finding("missing-annotation", message, path=f"{path}/annotations/{at}", hint=hint)


def _missing_group(members: tuple[ContractMaterial, ...], path: str) -> Finding:
    names = ", ".join(f"{member.name} ({member.type})" for member in members)
    message = f'at least one material from group "{members[0].group}" is required: {names}'
    hint = " or ".join(f"chainloop {add_command(member)}" for member in members)
    return Finding("missing-group", message, path=f"{path}/group", hint=hint)


def _check_annotations(contract: Contract, given: Mapping[str, str], path: str) -> Iterator[Finding]:
    for at, annotation in enumerate(contract.annotations):
        if not _has_value(annotation, given):
            message = f"the annotation {annotation.name} of the attestation has no value"
            hint = f"chainloop attestation push --annotation {annotation.name}=<value>"
            yield Finding("missing-annotation", message, path=f"{path}/{at}", hint=hint)


def _has_value(annotation: Annotation, given: Mapping[str, str]) -> bool:
    return bool(annotation.value or given.get(annotation.name))


def placeholder(entry: ContractMaterial) -> str:
    """Return what stands for the value of `entry` where people are told what to type."""
    return _PLACEHOLDERS.get(entry.type, "<file>")


def add_command(entry: ContractMaterial) -> str:
    """Return the command that adds `entry`, without the program's name; placeholders stand in angle brackets."""
    value = placeholder(entry)
    open_annotations = (annotation.name for annotation in entry.annotations if not annotation.value)
    options = "".join(f" --annotation {name}=<value>" for name in open_annotations)
    return f"attestation add --name {entry.name} --value {value}{options}"
