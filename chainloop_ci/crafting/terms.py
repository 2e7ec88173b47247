"""What an attestation begins with: the workflow and the contract it is held to, and where they come from.

R2: beginning never creates or changes anything of the organization unless the token has `operate`; else the error says
what an operator would type.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from chainloop_ci.attestation.state import CasPin, WorkflowPin
from chainloop_ci.contract.load import LoadedContract, load
from chainloop_ci.contract.types import Contract, ContractFormat
from chainloop_ci.contract.upcoming import Upcoming
from chainloop_ci.crafting.ports import ControlPlane, Reporter
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import (
    ChainloopError,
    ConflictError,
    ContractUnsupportedError,
    Finding,
    NotAllowedError,
    NotFoundError,
    ServerFaultError,
    UnreachableError,
    UsageError,
)
from chainloop_ci.records import record

if TYPE_CHECKING:
    from chainloop_ci.api.access import Role
    from chainloop_ci.api.runs import CraftingContext
    from chainloop_ci.api.workflows import ContractRevision
    from chainloop_ci.contract.load import EvaluateCue

_TO_QUEUE = "--on-unreachable queue needs the contract's file and both names: --contract FILE, --workflow, --project"

MEDIA_TYPES = {
    ContractFormat.YAML: "application/yaml",
    ContractFormat.JSON: "application/json",
    ContractFormat.CUE: "application/cue",
}
"""How a contract's format is named on the wire."""


@record
class ContractFile:
    """A contract that lies in the checkout."""

    path: str
    raw: bytes


@record
class Wanted:
    """What the user asked for."""

    workflow: str | None = None
    project: str | None = None
    revision: int | None = None
    """None: the newest."""
    contract: ContractFile | str | None = None
    """A file, or the name of a stored contract."""


@record
class Terms:
    """What the attestation is held to, before anything is created."""

    contract: Contract
    digest: Digest
    context: CraftingContext | None
    """None: without a control plane, or the workflow is still to be created."""
    upcoming: tuple[Upcoming, ...] = ()
    """Newer revisions of the contract: what only they ask for is a warning (R38)."""
    pending: Callable[[], CraftingContext] | None = None
    """Stores what is new (`operate` only), and returns the context that holds then."""

    def require_context(self) -> CraftingContext:
        """Return the context; a run is only ever created for a workflow that exists."""
        if self.context is None:
            raise ValueError("these terms have no workflow yet")
        return self.context

    def settled(self) -> Terms:
        """Return the terms after what is new was stored."""
        if self.pending is None:
            return self
        context = self.pending()
        return Terms(self.contract, self.digest, context, _read_upcoming(context))


class TermsFinder:
    """Finds the terms of an attestation."""

    def __init__(
        self,
        *,
        control_plane: Callable[[], ControlPlane],
        report: Reporter,
        evaluate_cue: Callable[[], EvaluateCue | None] = lambda: None,
        consent: Callable[[str], None] = lambda question: None,
    ) -> None:
        """`consent` asks before a revision is stored, and raises what ends the command when the answer is not yes."""
        self._consent = consent
        self._control_plane = control_plane
        self._report = report
        self._evaluate_cue = evaluate_cue

    def without_control_plane(self, file: ContractFile) -> Terms:
        """Return the terms of a dry run with a contract file: nobody is asked."""
        loaded = self._load(file)
        return Terms(loaded.contract, loaded.digest, None)

    def without_answer(self, wanted: Wanted, error: UnreachableError) -> Terms:
        """Return the terms of an attestation that is kept for later: those of the file, since nobody answers (R20).

        Raises:
            UnreachableError: `error`, with what it would take.
        """
        file = wanted.contract
        if not isinstance(file, ContractFile) or not wanted.workflow or not wanted.project:
            error.hint = f"{error.hint}; {_TO_QUEUE}" if error.hint else _TO_QUEUE
            raise error
        self._report.warning(
            "the control plane does not answer: the attestation is crafted without it and kept for later",
            reason=error.message,
        )
        return self.without_control_plane(file)

    def ask(self, wanted: Wanted, *, may_create: bool = True) -> Terms:
        """Return the terms that the control plane has, or what an operator's token may make them.

        Without `may_create` (a dry run) nothing is changed whatever the token may do.

        Raises:
            NotAllowedError: something would have to be created or changed, and the token may not (R2).
            ConflictError: the workflow uses another contract than the one that was named.
        """
        plane = self._control_plane()
        self._report.info("Retrieving workflow information from the control plane")
        try:
            context = plane.get_crafting_context(wanted.workflow, wanted.project, wanted.revision)
        except NotFoundError as error:
            # A revision may be what is unknown: the answer says so, and nothing is made of an old number.
            if wanted.revision is not None or not may_create:
                raise
            return self._new_workflow(plane, wanted, error)
        if isinstance(wanted.contract, ContractFile):
            return self._compare(plane, wanted, wanted.contract, context)
        if wanted.contract is not None and wanted.contract != context.contract.name:
            workflow = context.workflow
            raise ConflictError(
                f"the workflow {workflow.name} uses the contract {context.contract.name}, not {wanted.contract}",
                hint=f"no file here is called {wanted.contract}, so it names a stored contract: leave --contract out, "
                f"or let an operator run `chainloop workflow update {workflow.id} --contract {wanted.contract}`",
            )
        return _stored_terms(context)

    def _compare(self, plane: ControlPlane, wanted: Wanted, file: ContractFile, context: CraftingContext) -> Terms:
        stored = context.contract
        # The checkout may have the newer text already: until its date the job is held to the one before (R38).
        known = {stored.digest, *(item.digest for item in context.upcoming)}
        if sha256_digest(file.raw) in known:
            return _stored_terms(context)
        loaded = self._load(file)
        if loaded.digest in known:
            # Full CUE is stored as the JSON that it exports.
            return _stored_terms(context)
        command = f"chainloop workflow contract apply -f {file.path} --name {stored.name}"
        if not _may_operate(context.role):
            raise NotAllowedError(
                f"{file.path} differs from revision {stored.revision} of the contract {stored.name} "
                f"({loaded.digest}, stored is {stored.digest}), and this token may not change contracts",
                hint=f"leave --contract out, or let an operator run `{command}`",
            )
        if wanted.revision is not None:
            raise UsageError(
                f"{file.path} differs from revision {stored.revision} of the contract {stored.name}, "
                "and a revision that was named cannot be changed",
                hint=f"leave --contract or --contract-revision out, or run `{command}`",
            )

        def apply() -> CraftingContext:
            self._consent(
                f"Store {file.path} as a new revision of the contract {stored.name}? "
                "Every workflow that uses it gets it."
            )
            made = plane.put_contract(stored.name, loaded.raw, MEDIA_TYPES[loaded.format], stored.latest_revision)
            self._warn_revision(made)
            return plane.get_crafting_context(wanted.workflow, wanted.project, made.revision)

        return Terms(loaded.contract, loaded.digest, context, pending=apply)

    def _warn_revision(self, made: ContractRevision) -> None:
        """Say that what looked like the beginning of one attestation changed what others are held to."""
        self._report.warning(
            "the contract has a new revision: every workflow that uses it gets it from now on",
            contract=made.name,
            revision=made.revision,
        )

    def _new_workflow(self, plane: ControlPlane, wanted: Wanted, error: NotFoundError) -> Terms:
        from chainloop_ci.api.workflows import WorkflowRequest

        name, project = wanted.workflow, wanted.project
        if not name or not project:
            raise error
        if not _may_operate(plane.whoami().role):
            raise NotAllowedError(
                f"the workflow {name} of project {project} does not exist, and this token may not create it",
                hint=f"let an operator run `chainloop workflow create --name {name} --project {project}"
                + (f" --contract {wanted.contract}`" if isinstance(wanted.contract, str) else "`"),
            ) from error
        loaded = self._load(wanted.contract) if isinstance(wanted.contract, ContractFile) else None

        def create() -> CraftingContext:
            contract = wanted.contract if isinstance(wanted.contract, str) else None
            if loaded:
                contract = loaded.contract.name or f"{project}-{name}"
                made = plane.put_contract(contract, loaded.raw, MEDIA_TYPES[loaded.format])
                if made.changed and made.revision > 1:
                    self._warn_revision(made)
            plane.create_workflow(WorkflowRequest(name=name, project=project, contract=contract))
            self._report.info("workflow created", name=name, project=project)
            return plane.get_crafting_context(name, project, None)

        if loaded:
            return Terms(loaded.contract, loaded.digest, None, pending=create)
        # The contract is known only afterwards: an empty one, or one that is stored already.
        return _stored_terms(create())

    def _load(self, file: ContractFile) -> LoadedContract:
        from chainloop_ci.materials.registry import IMPLEMENTED

        loaded = load(file.raw, filename=file.path, evaluate_cue=self._evaluate_cue(), implemented=IMPLEMENTED)
        for warning in loaded.warnings:
            self._report.warning(f"{file.path}: {warning}")
        return loaded


def _stored_terms(context: CraftingContext) -> Terms:
    """Return the terms of a stored contract, from the exact bytes that the run will be pinned to."""
    from base64 import b64decode

    stored = context.contract
    raw = b64decode(stored.raw_body)
    if sha256_digest(raw) != stored.digest:
        raise ServerFaultError(
            f"the control plane sent a contract {stored.name} whose content is not {stored.digest}",
            hint="tell the operator of the control plane",
        )
    from chainloop_ci.contract.document import from_document

    try:
        contract = from_document(stored.document)
    except ChainloopError as error:
        raise ServerFaultError(
            f"the contract {stored.name} cannot be read by this version: {error.message}",
            hint="update chainloop, or ask for an older revision with --contract-revision",
        ) from error
    return Terms(contract, stored.digest, context, _read_upcoming(context))


def _read_upcoming(context: CraftingContext) -> tuple[Upcoming, ...]:
    """Return the newer revisions that this version can read; of the others the control plane warns when it stores."""
    from chainloop_ci.contract.document import from_document

    found = []
    for item in context.upcoming:
        with suppress(ChainloopError):
            if item.enforced_from is not None:
                found.append(Upcoming(item.revision, item.enforced_from, from_document(item.document)))
    return tuple(found)


def warn_terms(terms: Terms, report: Reporter) -> None:
    """Say what the user should know of the terms before anything is crafted."""
    if terms.contract.policies or terms.contract.policy_groups:
        report.warning("the policies of the contract are not evaluated by this version")
    context = terms.context
    if context is None:
        return
    pinned, newest = context.contract.revision, context.contract.latest_revision
    for item in terms.upcoming:
        report.info(
            f"a newer revision of the contract is enforced from {item.enforced_from:%Y-%m-%d %H:%M} UTC on; what only "
            "it asks for is a warning until then",
            pinned=pinned,
            newer=item.revision,
        )
    if pinned < newest and not terms.upcoming:
        report.warning("the contract has a newer revision", pinned=pinned, newest=newest)
    if not context.has_verification_key:
        report.warning("no key that may verify this workflow is registered; push will be refused")


def _may_operate(role: Role) -> bool:
    return role.value in ("operate", "admin", "instance")


def require_implemented(contract: Contract) -> None:
    """Check that every material type of the contract is implemented.

    Raises:
        ContractUnsupportedError: with every material whose type is not.
    """
    from chainloop_ci.materials.registry import IMPLEMENTED

    findings = [
        Finding("unsupported-type", f"the material {entry.name} is of type {entry.type}", path=entry.name)
        for entry in contract.materials
        if entry.type not in IMPLEMENTED
    ]
    if findings:
        types = ", ".join(dict.fromkeys(entry.type for entry in contract.materials if entry.type not in IMPLEMENTED))
        raise ContractUnsupportedError(
            f"the contract asks for material types that this version does not implement: {types}",
            hint="update chainloop, or ask for a contract revision without them",
            findings=findings,
        )


def pin_of(terms: Terms, wanted: Wanted, *, run_id: str, version: str) -> WorkflowPin:
    """Return what the attestation is bound to."""
    context = terms.context
    if context is None:
        file = wanted.contract if isinstance(wanted.contract, ContractFile) else None
        return WorkflowPin(
            name=wanted.workflow or "dry-run",
            project=wanted.project or "dry-run",
            organization="",
            contract_name=terms.contract.name or (file.path if file else ""),
            contract_revision=0,
            contract_digest=terms.digest,
            run_id=run_id,
            project_version=version,
        )
    return WorkflowPin(
        name=context.workflow.name,
        project=context.workflow.project,
        organization=context.organization,
        contract_name=context.contract.name,
        contract_revision=context.contract.revision,
        contract_digest=context.contract.digest,
        workflow_id=context.workflow.id,
        run_id=run_id,
        team=context.workflow.team,
        project_version=version,
    )


def cas_of(terms: Terms, *, dry_run: bool) -> CasPin:
    """Return where content goes; nowhere on a dry run: digests only."""
    if dry_run or terms.context is None:
        return CasPin()
    cas = terms.context.cas
    return CasPin(id=cas.id, name=cas.name, max_bytes=cas.max_bytes, fallback=cas.fallback)
