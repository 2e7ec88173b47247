"""What `attestation craft` makes of its options: the requests of init, add and push."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from chainloop_ci.cli.attestation_add import make_add, registry_credentials
from chainloop_ci.cli.attestation_init import Project, begin, find_project, init_request
from chainloop_ci.cli.attestation_push import load_signer, make_push, show_dry, show_pushed, warn_of_bundle
from chainloop_ci.cli.attestation_reset import (
    JobEnd,
    end_run,
    end_with_job,
    has_attestation,
    parse_job_status,
)
from chainloop_ci.cli.craft_files import NamedFiles, make_gather, typed_materials, wanted_files
from chainloop_ci.cli.wiring import World
from chainloop_ci.cli.workspace_files import WorkspaceFiles
from chainloop_ci.crafting.add import AddRequest
from chainloop_ci.crafting.annotations import parse_annotations
from chainloop_ci.crafting.content import ContentReader
from chainloop_ci.crafting.craft import Craft, CraftRequest
from chainloop_ci.crafting.init import InitRequest
from chainloop_ci.crafting.push import DryPush
from chainloop_ci.crafting.reset import AGAIN, end_unmet
from chainloop_ci.errors import AttestationRefusedError


def run_craft(
    world: World,
    *,
    attestation_name: str | None,
    job_index: str | None,
    materials: Sequence[str],
    checksums: str | None,
    artifact_list: str | None,
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
    login = registry_credentials(world, registry_server, registry_username, registry_password)
    template = AddRequest("", strict=not no_strict_validation, replace=True, credentials=login)
    named = NamedFiles(tuple(materials), checksums, artifact_list)
    typed = typed_materials(project, named, template)
    asked = init_request(world, project, **init)
    if asked is None:
        return
    if end is not JobEnd.SUCCESS:
        _begin_and_end(world, asked, job_index, end)
        return
    wanted = wanted_files(world, project, typed, named, template)
    request = CraftRequest(asked, wanted, parse_annotations(annotations))
    with _ending_unmet(world, job_status):
        _craft(world, request, project, key, bundle, job_index)


@contextmanager
def _ending_unmet(world: World, job_status: str | None) -> Iterator[None]:
    """End the run whose attestation is refused at the end of a job, so that others see it."""
    try:
        yield
    except AttestationRefusedError as error:
        if job_status:
            end_unmet(error, partial(end_run, world), world.reporter)
        raise


def _craft(
    world: World, request: CraftRequest, project: Project, key: str | None, bundle: str | None, job_index: str | None
) -> None:
    if request.init.dry_run:
        warn_of_bundle(world, bundle)
    signer = cache(lambda: load_signer(world, key))  # its password is asked for once
    files = WorkspaceFiles(project.folder or world.cwd, world.env)
    push = make_push(world, load_signer=signer, bundle=bundle)
    craft = Craft(
        init=lambda request: begin(world, request, job_index),
        gather=make_gather(world, files),
        add=make_add(world, ContentReader(world, world)),
        add_listed=make_add(world, ContentReader(files, files)),
        push=push,
        end=partial(end_run, world),
        on_phase=world.output.phase,
        load_signer=signer,
        report=world.reporter,
    )
    made = craft(request)
    if isinstance(made, DryPush):
        show_dry(world, made, hint=AGAIN)
    else:
        show_pushed(world, push, made)


def _begin_and_end(world: World, request: InitRequest, job_index: str | None, end: JobEnd) -> None:
    if request.dry_run:
        world.output.info(f"the job {end}: the contract is not tried")
        return
    if not has_attestation(world):
        begin(world, request, job_index)
    end_with_job(world, end)
