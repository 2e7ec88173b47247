"""What a contract revision asks for that runs are not held to yet, judged beside the one that they are held to (R38).

One judgement for the step that warns, the control plane that stores, and `workflow contract impact`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime

from chainloop_ci.contract.compliance import check_compliance, check_event
from chainloop_ci.contract.types import Contract, ContractMaterial, MaterialType, RunnerType
from chainloop_ci.errors import Finding, limit_findings
from chainloop_ci.records import record


@record
class Upcoming:
    """A newer contract revision than the one that an attestation is held to."""

    revision: int
    enforced_from: datetime
    """From when on new runs have to meet it."""
    contract: Contract


@record
class Attested:
    """What an attestation has of what contracts ask for."""

    materials: Mapping[str, MaterialType] = field(default_factory=dict)
    """By name."""
    material_annotations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    """Recorded variables."""
    runner: RunnerType = RunnerType.GENERIC
    event: str | None = None
    """What the CI system says began the job."""


@record
class NewRequirement:
    """One thing that only a newer contract revision asks for: a warning until its date."""

    revision: int
    enforced_from: datetime
    code: str
    """That of the finding which it is from then on."""
    message: str
    path: str | None = None
    """Into the normalised contract of that revision."""
    hint: str | None = None
    """What to do."""

    def __str__(self) -> str:
        return f"from {self.enforced_from:%Y-%m-%d %H:%M} UTC on (revision {self.revision}): {self.message}"


def check_attested(contract: Contract, attested: Attested) -> tuple[Finding, ...]:
    """Return everything that keeps an attestation from meeting a contract, whichever contract it was made for."""
    return limit_findings(_check(contract, attested))


def find_new_requirements(
    pinned: Contract, upcoming: Iterable[Upcoming], attested: Attested
) -> tuple[NewRequirement, ...]:
    """Return what the newer revisions ask for, and the one that the attestation is held to does not.

    What several ask for is listed once, with the first of their dates.
    """
    newer = sorted(upcoming, key=lambda item: (item.enforced_from, item.revision))
    if not newer:
        return ()
    told = {(finding.code, finding.message) for finding in check_attested(pinned, attested)}
    found = []
    for item in newer:
        for finding in check_attested(item.contract, attested):
            if (finding.code, finding.message) not in told:
                told.add((finding.code, finding.message))
                found.append(_requirement(item, finding))
    return tuple(found)


def find_awaited(upcoming: Sequence[Upcoming], name: str) -> ContractMaterial | None:
    """Return what a newer revision says of a material, the one that comes first; None: none of them knows it."""
    entries = (item.contract.find_material(name) for item in upcoming)
    return next((entry for entry in entries if entry), None)


def _check(contract: Contract, attested: Attested) -> Iterator[Finding]:
    yield from check_compliance(
        contract,
        attested.materials,
        annotations=attested.annotations,
        material_annotations=attested.material_annotations,
    )
    for at, name in enumerate(contract.env_allow_list):
        if not attested.env.get(name):
            message = f"the environment variable {name} is required and has no value"
            path = f"{contract.body_path}/envAllowList/{at}"
            yield Finding("missing-variable", message, path=path, hint=f"set {name} in the job")
    if contract.runner and contract.runner is not attested.runner:
        message = f"the contract requires runner {contract.runner}, the job ran on {attested.runner}"
        yield Finding("runner-mismatch", message, path=f"{contract.body_path}/runner/type")
    if finding := check_event(contract, attested.event):
        yield finding


def _requirement(item: Upcoming, finding: Finding) -> NewRequirement:
    return NewRequirement(
        revision=item.revision,
        enforced_from=item.enforced_from,
        code=finding.code,
        message=finding.message,
        path=finding.path,
        hint=finding.hint,
    )
