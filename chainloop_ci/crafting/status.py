"""The use case `status`: what the contract asks for, what is there, and what is missing. Asks nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chainloop_ci.attestation.state import CraftedMaterial, CraftingState
from chainloop_ci.contract.compliance import check_compliance
from chainloop_ci.contract.types import ContractMaterial, MaterialType
from chainloop_ci.contract.upcoming import Attested, NewRequirement, find_new_requirements
from chainloop_ci.errors import ContractNotMetError, Finding, StateMissingError
from chainloop_ci.records import record

THEN_PUSH = "add what is missing, then run `chainloop attestation push` again"
"""What to do where a later step can still add something."""


@record
class MaterialStatus:
    """One line of the status: an entry of the contract, a material, or both."""

    name: str
    type: MaterialType
    entry: ContractMaterial | None
    """None: the contract does not know it."""
    material: CraftedMaterial | None
    """None: not added yet."""

    @property
    def required(self) -> bool:
        """Tell whether this material itself must be there."""
        return self.entry is not None and self.entry.required

    @property
    def output(self) -> bool:
        """Tell whether it becomes a subject."""
        return self.entry.output if self.entry else bool(self.material and self.material.output)

    @property
    def skip_upload(self) -> bool:
        """Tell whether only its digest is recorded."""
        return self.entry.skip_upload if self.entry else bool(self.material and self.material.skip_upload)


@record
class AttestationStatus:
    """The state of an attestation together with the verdict on it."""

    state: CraftingState
    materials: tuple[MaterialStatus, ...]
    """In contract order, then the others by name."""
    missing: tuple[Finding, ...]
    """Everything that keeps the contract from being met."""
    digest: str = ""
    """The attestation's digest, once it is signed."""
    pushed: bool = False
    view_url: str = ""
    new_requirements: tuple[NewRequirement, ...] = ()
    """What only newer contract revisions ask for: warnings until their dates (R38)."""
    expired: bool = False
    """As far as is known here its run has expired (R15); the control plane knows it for certain."""

    @property
    def compliant(self) -> bool | None:
        """Tell whether the contract is met; None when it asks for nothing, which nobody meets (R37)."""
        if self.missing:
            return False
        return True if self.state.contract.has_requirements else None


def get_status(
    state: CraftingState,
    *,
    digest: str = "",
    pushed: bool = False,
    view_url: str = "",
    now: datetime | None = None,
) -> AttestationStatus:
    """Return the status of `state`; without `now` its expiry does not matter."""
    expires_at = find_expiry(state)
    known = [
        MaterialStatus(entry.name, entry.type, entry, state.materials.get(entry.name))
        for entry in state.contract.materials
    ]
    names = {entry.name for entry in known}
    others = [
        MaterialStatus(name, material.type, None, material)
        for name, material in sorted(state.materials.items())
        if name not in names
    ]
    return AttestationStatus(
        state=state,
        materials=(*known, *others),
        missing=find_missing(state),
        new_requirements=find_new(state),
        digest=digest,
        pushed=pushed,
        view_url=view_url or state.session.view_url,
        expired=now is not None and expires_at is not None and now >= expires_at,
    )


def find_expiry(state: CraftingState) -> datetime | None:
    """Return when the run expires; None when nobody said, and on a dry run.

    Its life begins anew with what the control plane accepted since `init` (R15).
    """
    if state.dry_run or state.session.expires_at is None:
        return None
    if state.session.shared:
        # The control plane said it with the state.
        return state.session.expires_at
    uploads = [material.added_at for material in state.materials.values() if material.uploaded]
    return state.session.expires_at + max(
        max(uploads, default=state.initialized_at) - state.initialized_at, timedelta()
    )


def find_new(state: CraftingState) -> tuple[NewRequirement, ...]:
    """Return what is not there and only newer contract revisions ask for (R38)."""
    attested = Attested(
        materials={name: material.type for name, material in state.materials.items()},
        material_annotations={name: material.annotations for name, material in state.materials.items()},
        annotations=state.annotations,
        env={**state.runner.env, **state.env},
        runner=state.runner.type,
        event=state.session.ci.event,
    )
    return find_new_requirements(state.contract, state.upcoming, attested)


def find_missing(state: CraftingState) -> tuple[Finding, ...]:
    """Return everything that keeps the contract from being met; a name that looks misspelt is said beside it."""
    found = check_compliance(
        state.contract,
        {name: material.type for name, material in state.materials.items()},
        annotations=state.annotations,
        material_annotations={name: material.annotations for name, material in state.materials.items()},
    )
    unknown = [name for name in state.materials if state.contract.find_material(name) is None]
    return tuple(_beside_unknown(finding, state, unknown) for finding in found) if found and unknown else found


def _beside_unknown(finding: Finding, state: CraftingState, unknown: Sequence[str]) -> Finding:
    """Return a finding about a missing material with the added one that is perhaps the same under another name."""
    from difflib import get_close_matches

    at = finding.path.rpartition("/")[2] if finding.path else ""
    if finding.code != "missing-material" or not at.isdigit():
        return finding
    near = get_close_matches(state.contract.materials[int(at)].name, unknown, n=1)
    if not near:
        return finding
    return replace(finding, message=f"{finding.message}; {near[0]} was, which the contract does not know")


def require_compliant(state: CraftingState, *, hint: str = THEN_PUSH) -> None:
    """Check that the contract is met; `hint` says what to do when it is not.

    Raises:
        ContractNotMetError: with everything that is missing.
    """
    missing = find_missing(state)
    if missing:
        raise not_met(state, missing, hint=hint)


def not_met(state: CraftingState, findings: Sequence[Finding], *, hint: str) -> ContractNotMetError:
    """Return the error that says how many things keep the contract from being met, and which."""
    count = "1 thing is" if len(findings) == 1 else f"{len(findings)} things are"
    message = f"the contract {state.pin.contract_name} is not met: {count} missing or wrong"
    return ContractNotMetError(message, hint=hint, findings=findings)


def require_begun(state: CraftingState) -> None:
    """Check that the control plane knows the run of this attestation.

    Raises:
        StateMissingError: `init` sent the run and never got an answer.
    """
    if not state.is_begun:
        raise StateMissingError(
            "the attestation was not begun: the control plane never answered to init",
            hint="run `chainloop attestation init` again; it goes on with the same run",
        )
