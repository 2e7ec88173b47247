"""What `attestation init` makes of its options."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from chainloop_ci import __version__
from chainloop_ci.cli.contract_source import find_contract
from chainloop_ci.cli.standing import begin_without_secrets, tell_that_nothing_is_checked
from chainloop_ci.cli.unreachable import clear_pending, forget, may_queue
from chainloop_ci.cli.wiring import World
from chainloop_ci.crafting.init import Init, InitRequest, Machine
from chainloop_ci.crafting.terms import ContractFile, TermsFinder, Wanted
from chainloop_ci.errors import UsageError
from chainloop_ci.records import record

if TYPE_CHECKING:
    from pathlib import Path

    from chainloop_ci.attestation.state import CraftingState
    from chainloop_ci.workspace.project_file import ProjectAttestation


def run_init(
    world: World,
    *,
    workflow: str | None,
    project: str | None,
    contract: str | None,
    contract_revision: int | None,
    version: str | None,
    attestation_name: str | None,
    dry_run: bool,
    job_index: str | None,
    replace: bool,
) -> CraftingState | None:
    """Begin an attestation and return its state; None in a job without secrets that has nothing to check against."""
    request = init_request(
        world,
        find_project(world, attestation_name),
        workflow=workflow,
        project=project,
        contract=contract,
        contract_revision=contract_revision,
        version=version,
        dry_run=dry_run,
        replace=replace,
    )
    if request is None:
        return None
    state = begin(world, request, job_index)
    if not state.dry_run and world.settings().signing_key is None:
        world.output.info(
            "no signing key is known yet, and push needs one", fix="--key (CHAINLOOP_SIGNING_KEY) names it"
        )
    return state


def begin(world: World, request: InitRequest, job_index: str | None) -> CraftingState:
    """Begin an attestation and return its state."""
    state = make_init(world, job_index)(request)
    forget(world)
    clear_pending(world)
    tell_of_commit(world, state)
    if world.sharing.begins:
        from chainloop_ci.cli.sharing import give_out

        give_out(world, state)
    return state


@record
class Project:
    """What `.chainloop.yml` says of the attestation that is meant."""

    attestation: ProjectAttestation | None = None
    version: str | None = None
    """Of the project, for entries that have none of their own."""
    folder: Path | None = None
    """Where the file lies; None: there is none."""
    names: tuple[str, ...] = ()
    """Of all attestations in it."""


def init_request(
    world: World,
    file: Project,
    *,
    workflow: str | None,
    project: str | None,
    contract: str | None,
    contract_revision: int | None,
    version: str | None,
    dry_run: bool,
    replace: bool,
) -> InitRequest | None:
    """Return what `init` is asked for: what was typed, else what the project's file says.

    A job without secrets makes a dry run of it (R35); None when it has no contract to check anything against.
    """
    named = file.attestation
    without_secrets = begin_without_secrets(world, dry_run=dry_run)
    dry_run = dry_run or without_secrets
    found = find_contract(world, contract, dry_run=dry_run)
    if without_secrets and not isinstance(found, ContractFile):
        tell_that_nothing_is_checked(world)
        return None
    return InitRequest(
        wanted=Wanted(
            workflow=workflow or (named.workflow if named else None),
            project=project or (named.project if named else None),
            # 0 is how the Go product's users ask for the newest.
            revision=contract_revision or None,
            contract=found,
        ),
        version=version or (named.version if named else None) or file.version or "",
        annotations=named.annotations if named else {},
        dry_run=dry_run,
        replace=replace,
        shared=world.sharing.begins,
        may_queue=may_queue(world),
    )


def tell_of_commit(world: World, state: CraftingState) -> None:
    """Say why no commit is recorded, when that is so."""
    ci = state.session.ci
    if not (state.head or ci.head_sha or ci.pull_request):  # of a pull request it was said already
        world.output.info(f"no commit is recorded: {_why_no_commit(world)}")


def _why_no_commit(world: World) -> str:
    from chainloop_ci.workspace.git_files import find_git_dir

    return (
        "this folder is in no git repository"
        if find_git_dir(world.cwd) is None
        else ("the git repository has no commit yet")
    )


def make_init(world: World, job_index: str | None) -> Init:
    """Return the use case with this machine's adapters."""
    from chainloop_ci.state import belongs_to_other_job

    return Init(
        store=world.state(),
        control_plane=world.control_plane,
        control_plane_url=lambda: world.control_plane().http.base_url,
        terms=TermsFinder(
            control_plane=world.control_plane,
            report=world.reporter,
            evaluate_cue=world.evaluate_cue,
            consent=partial(_require_consent, world),
        ),
        machine=Machine(
            facts=world.facts(job_index=job_index),
            now=world.now,
            new_id=world.new_id,
            new_handle=world.new_handle,
            read_head=world.read_head,
            belongs_to_other_job=belongs_to_other_job,
            client_version=__version__,
        ),
        report=world.reporter,
    )


def _require_consent(world: World, question: str) -> None:
    # Almost no `init` has anything to ask: lists and pages are not loaded for it.
    from chainloop_ci.cli.listing import require_consent

    require_consent(world, question)


def find_project(world: World, name: str | None) -> Project:
    """Return what `.chainloop.yml` says; `name` is the entry that is meant, which may be left out for the only one."""
    from chainloop_ci.workspace.project_file import find_project_file, load_project_file

    path = find_project_file(world.cwd)
    if path is None:
        if name:
            raise UsageError(
                f"there is no .chainloop.yml that could have an attestation {name!r}",
                hint="check that the job has its checkout by now, with that file in it; or leave --attestation out",
            )
        return Project()
    file = load_project_file(path)
    found = file.find_attestation(name)
    names = tuple(entry.name for entry in file.attestations)
    if name and found is None:
        raise UsageError(f"{path} has no attestation {name!r}", hint=f"it has: {', '.join(names) or 'none'}")
    return Project(found, file.project_version, path.parent, names)
