"""The use case `craft`: begin an attestation, add its materials and push it, in one process.

What is wrong with the materials is told all at once, and ends the run: a job that has no further step could not mend
it, and nobody should wait for its expiry. What may pass (no answer, a full store) leaves the attestation as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from chainloop_ci.attestation.state import CraftingState
from chainloop_ci.crafting.add import Add, AddRequest
from chainloop_ci.crafting.gather import Gather, WantedFiles
from chainloop_ci.crafting.init import InitRequest
from chainloop_ci.crafting.ports import Reporter, Signer
from chainloop_ci.crafting.push import DryPush, Push, Pushed, QueuedPush
from chainloop_ci.crafting.reset import AGAIN, EndRun, end_unmet
from chainloop_ci.crafting.status import find_missing, not_met
from chainloop_ci.errors import (
    ChainloopError,
    ContractNotMetError,
    FileUnreadableError,
    Finding,
    ImageUnresolvedError,
    LimitExceededError,
    MaterialConflictError,
    MaterialRejectedError,
    PathRefusedError,
    RegistryLoginError,
    UsageError,
)
from chainloop_ci.records import record

_OF_A_MATERIAL = (
    ContractNotMetError,
    FileUnreadableError,
    ImageUnresolvedError,
    LimitExceededError,
    MaterialConflictError,
    MaterialRejectedError,
    PathRefusedError,
    RegistryLoginError,
    UsageError,
)
"""Errors of `add` that say something of the material: the others are looked at all the same."""


@record
class CraftRequest:
    """What the user asked for."""

    init: InitRequest
    files: WantedFiles = field(default_factory=WantedFiles)
    annotations: Mapping[str, str] = field(default_factory=dict)


class Craft:
    """Makes the attestation of this job from beginning to end."""

    def __init__(
        self,
        *,
        init: Callable[[InitRequest], CraftingState],
        gather: Gather,
        add: Add,
        add_listed: Add,
        push: Push,
        end: EndRun,
        load_signer: Callable[[], Signer],
        report: Reporter,
        on_phase: Callable[[str], None] = lambda title: None,
    ) -> None:
        """`end` ends the run that was begun; `on_phase` is told what is done next."""
        self._init = init
        self._gather = gather
        self._add = add
        self._add_listed = add_listed
        self._push = push
        self._end_run = end
        self._load_signer = load_signer
        self._report = report
        self._on_phase = on_phase

    def __call__(self, request: CraftRequest) -> Pushed | QueuedPush | DryPush:
        """Craft the attestation; on a dry run return the statement that would be signed.

        Raises:
            SigningKeyMissingError, SigningKeyInvalidError: before anything was begun (R5).
            ContractNotMetError: with every material that was refused and every one that is missing; the run has ended.
            ChainloopError: as `init`, `add` and `push` raise it; an attestation that was begun stays, to go on with.
        """
        if not request.init.dry_run:
            self._load_signer()
        self._on_phase("Begin the attestation")
        state = self._init(request.init)
        self._on_phase("Add the materials")
        wrong = self._add_everything(state, request)
        self._on_phase("Push the attestation")
        try:
            if wrong or state.dry_run:
                dry = self._push.dry(request.annotations)
                if wrong:
                    raise not_met(dry.state, _list_all(dry.state, wrong), hint=AGAIN)
                return dry
            return self._push(request.annotations)
        except ContractNotMetError as error:
            if not state.dry_run:
                end_unmet(error, self._end_run, self._report)
            raise

    def _add_everything(self, state: CraftingState, request: CraftRequest) -> _Wrong:
        found = self._gather(state.contract, request.files)
        refused = {**found.refused, **_add_all(self._add_listed, found.listed), **_add_all(self._add, found.typed)}
        return _Wrong(refused, found.findings)


@record
class _Wrong:
    """Everything that was refused."""

    materials: Mapping[str, ChainloopError]
    """Why, by the name of the material."""
    findings: Sequence[Finding]

    def __bool__(self) -> bool:
        return bool(self.materials or self.findings)


def _add_all(add: Add, requests: Sequence[AddRequest]) -> dict[str, ChainloopError]:
    """Add every material; return why those cannot be added that cannot, by name."""
    refused: dict[str, ChainloopError] = {}
    for request in requests:
        try:
            add(request)
        except _OF_A_MATERIAL as error:
            refused[request.name or request.value] = error
    return refused


def _list_all(state: CraftingState, wrong: _Wrong) -> list[Finding]:
    """Return what was refused and what is missing; a refused material with its own reasons, not as missing too."""
    paths = {entry.name: f"{state.contract.materials_path}/{at}" for at, entry in enumerate(state.contract.materials)}
    findings = [
        finding for name, error in wrong.materials.items() for finding in _findings(name, error, paths.get(name))
    ]
    findings += wrong.findings
    told = {paths[name] for name in wrong.materials if name in paths}
    return findings + [finding for finding in find_missing(state) if finding.path not in told]


def _findings(name: str, error: ChainloopError, path: str | None) -> list[Finding]:
    """Return what is wrong with one material; `path` is its entry in the contract."""
    if not error.findings:
        return [Finding(error.code, f"the material {name}: {error.message}", path=path, hint=error.hint)]
    if len(error.findings) == 1:
        # The error's sentence names the file and what it was taken for; «line 1:1: Expecting value» does not.
        (found,) = error.findings
        told = error.message if found.message in error.message else f"{error.message}; {found}"
        return [Finding(found.code, f"the material {name}: {told}", path=path, hint=found.hint or error.hint)]
    return [
        Finding(found.code, f"the material {name}: {found}", path=path, hint=found.hint or error.hint)
        for found in error.findings
    ]
