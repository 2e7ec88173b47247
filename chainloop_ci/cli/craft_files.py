"""What `attestation craft` is told of files: --material, .chainloop.yml, --checksums, --artifact-list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from chainloop_ci.cli.attestation_init import Project
from chainloop_ci.cli.wiring import World
from chainloop_ci.cli.workspace_files import WorkspaceFiles
from chainloop_ci.crafting.add import AddRequest
from chainloop_ci.crafting.content import ContentReader
from chainloop_ci.crafting.expanding import MaterialRequest
from chainloop_ci.crafting.file_lists import (
    MAX_LIST_BYTES,
    FileList,
    ListedFile,
    parse_artifact_list,
    parse_checksums,
)
from chainloop_ci.crafting.gather import Gather, WantedFiles
from chainloop_ci.crafting.listed_files import ListedFiles
from chainloop_ci.errors import UsageError
from chainloop_ci.records import record
from chainloop_ci.workspace.paths import open_material

_Parse = Callable[[bytes, str], tuple[ListedFile, ...]]


@record
class NamedFiles:
    """The options that name files."""

    materials: tuple[str, ...] = ()
    checksums: str | None = None
    artifact_list: str | None = None

    def __bool__(self) -> bool:
        return bool(self.materials or self.checksums or self.artifact_list)


_EXAMPLE = "sbom=out/sbom.json"


def typed_materials(project: Project, named: NamedFiles, template: AddRequest) -> tuple[MaterialRequest, ...]:
    """Return the requests for what was typed with --material.

    Raises:
        UsageError: with every text that is no material, or names one again; or nobody says what is to be attested.
    """
    if not named:
        _require_chosen(project)
    texts = named.materials
    pairs = [text.partition("=") for text in texts]
    broken = [text for text, (name, equals, value) in zip(texts, pairs, strict=True) if not (name and equals and value)]
    names = [name for name, _, _ in pairs]
    if broken:
        shown = ", ".join(repr(text[:80]) for text in broken)
        # In a job a value is often that of a variable or an output, which may be empty.
        empty = "; a value that comes from a variable is empty where there is none" if _has_no_value(pairs) else ""
        raise UsageError(f"--material: expected NAME=VALUE, found {shown}", hint=f"write it like {_EXAMPLE}{empty}")
    if again := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"--material: named more than once: {', '.join(again)}", hint="give each material once")
    return tuple(MaterialRequest(replace(template, name=name, value=value)) for name, _, value in pairs)


def _has_no_value(pairs: Sequence[tuple[str, str, str]]) -> bool:
    return any(name and equals and not value for name, equals, value in pairs)


def wanted_files(
    world: World, project: Project, typed: Sequence[MaterialRequest], named: NamedFiles, template: AddRequest
) -> WantedFiles:
    """Return everything that names files; the lists are read, before anything is begun.

    Raises:
        FileUnreadableError, PathRefusedError: a list cannot be read.
        ConfigInvalidError: it is none; with every line that is wrong.
    """
    return WantedFiles(
        typed=tuple(typed),
        listed=_listed(project, {request.add.name for request in typed}, template),
        lists=_read_lists(world, named),
        template=template,
    )


def make_gather(world: World, files: WorkspaceFiles) -> Gather:
    """Return what finds the files, with this machine's adapters."""
    take_lists = ListedFiles(files, ContentReader(files, files), world.reporter)
    return Gather(typed=world, workspace=files, take_lists=take_lists, report=world.reporter)


def _require_chosen(project: Project) -> None:
    if project.attestation is None and project.names:
        raise UsageError(
            f".chainloop.yml in {project.folder} has {len(project.names)} attestations, and none is chosen",
            hint=f"choose one with --attestation: {', '.join(project.names)}",
        )


def _listed(project: Project, typed: set[str | None], template: AddRequest) -> tuple[MaterialRequest, ...]:
    """Return the requests for the materials of `.chainloop.yml`, without those that were typed."""
    attestation = project.attestation
    if attestation is None:
        return ()
    return tuple(
        MaterialRequest(
            replace(
                template,
                value=entry.path or entry.value or "",
                name=entry.name,
                type=entry.type,
                annotations=entry.annotations,
            ),
            is_path=entry.path is not None,
            # Chainloop Labs' scripts hand it over as a value.
            is_file=entry.path is not None and not attestation.labs,
            multiple=entry.multiple,
        )
        for entry in attestation.materials
        if entry.name not in typed
    )


def _read_lists(world: World, named: NamedFiles) -> tuple[FileList, ...]:
    wanted: tuple[tuple[str | None, _Parse], ...] = (
        (named.checksums, parse_checksums),
        (named.artifact_list, parse_artifact_list),
    )
    return tuple(_read(world, path, parse) for path, parse in wanted if path)


def _read(world: World, path: str, parse: _Parse) -> FileList:
    # Its lines stand in messages: a link in the checkout, which a pull request controls, may not lead to another file.
    # Who names a file elsewhere types all of its path.
    is_elsewhere = Path(path).is_absolute()
    with closing(world.open_file(path) if is_elsewhere else open_material(path, root=world.cwd)) as file:
        files = parse(file.read(MAX_LIST_BYTES + 1), path)
    # Who lists `dist/*` from the folder above writes paths as seen from there, wherever the list itself is put.
    folders = dict.fromkeys((str((world.cwd / path).parent), str(world.cwd)))
    return FileList(path, tuple(folders), files)
