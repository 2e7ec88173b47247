"""What `attestation craft` makes of its options: the requests of init, add and push."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from chainloop_ci.cli.attestation_add import make_add, registry_credentials
from chainloop_ci.cli.attestation_init import Project, begin, find_project, init_request
from chainloop_ci.cli.attestation_push import load_signer, make_push, show_dry, show_pushed, warn_of_bundle
from chainloop_ci.cli.attestation_reset import JobEnd, end_run, end_with_job, has_attestation, parse_job_status
from chainloop_ci.cli.wiring import World
from chainloop_ci.cli.workspace_files import WorkspaceFiles
from chainloop_ci.crafting.add import AddRequest
from chainloop_ci.crafting.annotations import parse_annotations
from chainloop_ci.crafting.content import ContentReader
from chainloop_ci.crafting.craft import Craft, CraftRequest
from chainloop_ci.crafting.expanding import MaterialRequest
from chainloop_ci.crafting.gather import Gather
from chainloop_ci.crafting.init import InitRequest
from chainloop_ci.crafting.push import DryPush
from chainloop_ci.errors import UsageError

if TYPE_CHECKING:
    from chainloop_ci.crafting.ports import RegistryCredentials


def run_craft(
    world: World,
    *,
    attestation_name: str | None,
    job_index: str | None,
    materials: Sequence[str],
    no_strict_validation: bool,
    registry_server: str | None,
    registry_username: str | None,
    registry_password: str | None,
    key: str | None,
    annotations: Sequence[str],
    bundle: str | None,
    job_status: str | None,
    **init: Any,
) -> None:
    """Craft and push the attestation, or on a dry run print the statement that would be signed.

    After a job that did not succeed a run is begun and ended, so that others see it.
    """
    end = parse_job_status(job_status)
    project = find_project(world, attestation_name)
    login = registry_credentials(registry_server, registry_username, registry_password)
    typed = _typed(materials, login, strict=not no_strict_validation)
    asked = init_request(world, project, **init)
    if asked is None:
        return
    if end is not JobEnd.SUCCESS:
        _begin_and_end(world, asked, job_index, end)
        return
    request = CraftRequest(
        init=asked,
        typed=typed,
        listed=_listed(project, {entry.add.name for entry in typed}, login, strict=not no_strict_validation),
        annotations=parse_annotations(annotations),
    )
    if request.init.dry_run:
        warn_of_bundle(world, bundle)
    files = WorkspaceFiles(project.folder or world.cwd, world.env)
    signer = cache(lambda: load_signer(world, key))  # its password is asked for once
    push = make_push(world, load_signer=signer, bundle=bundle)
    craft = Craft(
        init=lambda request: begin(world, request, job_index),
        gather=Gather(typed=world, workspace=files, report=world.reporter),
        add=make_add(world, ContentReader(world, world)),
        add_listed=make_add(world, ContentReader(files, files)),
        push=push,
        end=lambda trigger, reason: end_run(world, trigger, reason),
        on_phase=world.output.phase,
        load_signer=signer,
        report=world.reporter,
    )
    made = craft(request)
    if isinstance(made, DryPush):
        show_dry(world, made)
    else:
        show_pushed(world, push, made)


def _begin_and_end(world: World, request: InitRequest, job_index: str | None, end: JobEnd) -> None:
    if request.dry_run:
        world.output.info(f"the job {end}: the contract is not tried")
        return
    if not has_attestation(world):
        begin(world, request, job_index)
    end_with_job(world, end)


def _typed(texts: Sequence[str], login: RegistryCredentials | None, *, strict: bool) -> tuple[MaterialRequest, ...]:
    """Return the requests for what was typed with --material.

    Raises:
        UsageError: with every text that is no material, or names one again.
    """
    pairs = [text.partition("=") for text in texts]
    broken = [text for text, (name, equals, value) in zip(texts, pairs, strict=True) if not (name and equals and value)]
    names = [name for name, _, _ in pairs]
    if broken:
        shown = ", ".join(repr(text[:80]) for text in broken)
        raise UsageError(f"--material: expected NAME=VALUE, found {shown}", hint="write it like sbom=out/sbom.json")
    if again := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"--material: named more than once: {', '.join(again)}", hint="give each material once")
    return tuple(
        MaterialRequest(AddRequest(value=value, name=name, strict=strict, replace=True, credentials=login))
        for name, _, value in pairs
    )


def _listed(
    project: Project, typed: set[str | None], login: RegistryCredentials | None, *, strict: bool
) -> tuple[MaterialRequest, ...]:
    """Return the requests for the materials of `.chainloop.yml`, without those that were typed."""
    if project.attestation is None:
        return ()
    return tuple(
        MaterialRequest(
            AddRequest(
                value=entry.path or entry.value or "",
                name=entry.name,
                type=entry.type,
                annotations=entry.annotations,
                strict=strict,
                replace=True,
                credentials=login,
            ),
            is_path=entry.path is not None,
            multiple=entry.multiple,
        )
        for entry in project.attestation.materials
        if entry.name not in typed
    )
