"""What `craft` adds, from everything that names files: entries with patterns, checksums files, lists of artifacts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from chainloop_ci.contract.types import Contract
from chainloop_ci.crafting.add import AddRequest
from chainloop_ci.crafting.expanding import MaterialRequest, expand
from chainloop_ci.crafting.ports import FileFinder, Reporter
from chainloop_ci.errors import ChainloopError, Finding
from chainloop_ci.records import record


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

    def __init__(self, *, typed: FileFinder, workspace: FileFinder, report: Reporter) -> None:
        self._typed = typed
        self._workspace = workspace
        self._report = report

    def __call__(
        self, contract: Contract, typed: Sequence[MaterialRequest], listed: Sequence[MaterialRequest]
    ) -> Gathered:
        """Return every file that is to be added, with everything that is wrong."""
        names = {request.add.name or "" for request in (*typed, *listed)}
        refused: dict[str, ChainloopError] = {}
        from_file = self._expand(contract, listed, self._workspace, names, refused)
        from_person = self._expand(contract, typed, self._typed, names, refused)
        return Gathered(tuple(from_person), tuple(from_file), refused)

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
                adds = expand(request, contract, files, names - {own})
            except ChainloopError as error:
                refused[own] = error
                continue
            names.update(add.name or "" for add in adds)
            found += adds
        return found
