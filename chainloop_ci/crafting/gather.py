"""What `craft` adds, from everything that names files: entries with patterns, checksums files, lists of artifacts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import field

from chainloop_ci.contract.types import Contract
from chainloop_ci.crafting.add import AddRequest
from chainloop_ci.crafting.expanding import MaterialRequest, expand
from chainloop_ci.crafting.file_lists import FileList
from chainloop_ci.crafting.listed_files import Given, ListedFiles
from chainloop_ci.crafting.ports import FileFinder, Reporter
from chainloop_ci.errors import ChainloopError, Finding
from chainloop_ci.records import record


@record
class WantedFiles:
    """Everything that names files of one attestation."""

    typed: tuple[MaterialRequest, ...] = ()
    """Materials that a person named; each has a name, here and below."""
    listed: tuple[MaterialRequest, ...] = ()
    """Materials of `.chainloop.yml`, whose paths stay in the workspace (R22)."""
    lists: tuple[FileList, ...] = ()
    """Files that a build wrote down; they stay in the workspace too."""
    template: AddRequest = field(default_factory=lambda: AddRequest(""))
    """What the materials of the lists have in common."""


@record
class Gathered:
    """What to add, and why the rest cannot be added."""

    typed: tuple[AddRequest, ...] = ()
    """What a person named."""
    listed: tuple[AddRequest, ...] = ()
    """What a file of the repository or of the build named: it stays in the workspace (R22)."""
    refused: Mapping[str, ChainloopError] = field(default_factory=dict)
    """By the name of the material."""
    findings: tuple[Finding, ...] = ()
    """What is wrong beside the materials: files of a list that are not what it says."""


class Gather:
    """Finds the files of one attestation."""

    def __init__(self, *, typed: FileFinder, workspace: FileFinder, take_lists: ListedFiles, report: Reporter) -> None:
        self._typed = typed
        self._workspace = workspace
        self._take_lists = take_lists
        self._report = report

    def __call__(self, contract: Contract, wanted: WantedFiles) -> Gathered:
        """Return every file that is to be added, with everything that is wrong."""
        names = {request.add.name or "" for request in (*wanted.typed, *wanted.listed)}
        refused: dict[str, ChainloopError] = {}
        listed = self._expand(contract, wanted.listed, self._workspace, names, refused)
        typed = self._expand(contract, wanted.typed, self._typed, names, refused)
        if not wanted.lists:
            return Gathered(tuple(typed), tuple(listed), refused)
        places = {*_places(listed, self._workspace), *_places(typed, self._typed)}
        taken = self._take_lists(wanted.lists, contract, Given(frozenset(names), frozenset(places)), wanted.template)
        return Gathered(tuple(typed), (*listed, *taken.adds), refused, taken.findings)

    def _expand(
        self,
        contract: Contract,
        requests: Iterable[MaterialRequest],
        files: FileFinder,
        names: set[str],
        refused: dict[str, ChainloopError],
    ) -> list[AddRequest]:
        """Return what to add for some entries; `names` and `refused` grow."""
        found: list[AddRequest] = []
        for request in requests:
            own = request.add.name or ""
            try:
                adds = expand(request, contract, files, names - {own}, self._report)
            except ChainloopError as error:
                refused[own] = error
                continue
            names.update(add.name or "" for add in adds)
            found += adds
        return found


def _places(adds: Iterable[AddRequest], files: FileFinder) -> Iterator[str]:
    """Yield the real paths of the files among the values."""
    for add in adds:
        for path in [file.path for file in add.pack.files] if add.pack else [add.value]:
            with suppress(ChainloopError):
                yield files.locate(path)
