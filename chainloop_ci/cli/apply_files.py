"""The documents of `chainloop apply`: found in files and folders, told apart and checked before anything is sent."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from chainloop_ci.api.apply import AppliedContract, AppliedKind, AppliedWorkflow
from chainloop_ci.cli.wiring import World
from chainloop_ci.contract.nodes import Node, Place, Tree, finding_at, place_of
from chainloop_ci.errors import ContractInvalidError, FileUnreadableError, Finding, LimitExceededError, PathRefusedError

if TYPE_CHECKING:
    from chainloop_ci.contract.load import LoadedContract

MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_DOCUMENTS = 10_000
_READ = (".yaml", ".yml", ".json", ".cue")
# A line of a YAML file that begins so is a document's begin wherever it stands (YAML 1.2.2, c-forbidden in 9.1.2).
_BEGIN = re.compile(rb"^---(?:[ \t]*\r?\n|(?=[ \t])|[ \t]*\Z)", re.MULTILINE)
_NOTHING = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\r?\n|\.\.\.[ \t]*\r?\n)*[ \t]*(?:#[^\n]*|\.\.\.)?\Z")


@dataclass(frozen=True, slots=True)
class Piece:
    """The bytes of one document."""

    path: str
    raw: bytes
    first_line: int = 0
    """How many lines of the file stand before it."""

    def at(self, found: Finding) -> Finding:
        """Return a finding about the document as one about its file: `release.yaml#/spec/project`."""
        line = None if found.line is None else found.line + self.first_line
        return replace(found, path=f"{self.path}#{found.path or '/'}", line=line)


@dataclass(frozen=True, slots=True)
class Document:
    """A contract or a workflow that a file describes."""

    piece: Piece
    root: Node
    item: AppliedContract | AppliedWorkflow

    @property
    def key(self) -> tuple[str, ...]:
        """Return what tells it from every other one: kind and names."""
        if isinstance(self.item, AppliedContract):
            return (AppliedKind.CONTRACT, self.item.name)
        return (AppliedKind.WORKFLOW, self.item.project, self.item.name)

    def finding(self, code: str, message: str, hint: str | None = None, path: Sequence[str] = ()) -> Finding:
        """Return a finding about it."""
        return self.piece.at(finding_at(self.root, path or ("metadata", "name"), code, message, hint))


@dataclass(slots=True)
class Documents:
    """What was read so far."""

    read: list[Document] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    def require_valid(self) -> None:
        """Refuse them with everything that is wrong in any file.

        Raises:
            ContractInvalidError: with the findings of all files.
        """
        first: dict[tuple[str, ...], Document] = {}
        for document in self.read:
            if (earlier := first.setdefault(document.key, document)) is not document:
                line = place_of(earlier.root, ("metadata", "name")).line + earlier.piece.first_line
                message = f"{' '.join(document.key)} stands twice: the first one is {earlier.piece.path}, line {line}"
                self.findings.append(document.finding("duplicate-document", message, "keep one of the two"))
        if self.findings:
            count = len(self.findings)
            message = f"the files have {count} error{'s' * (count != 1)}; nothing was changed"
            raise ContractInvalidError(message, findings=self.findings)

    def date_contracts(self, enforce_from: str | None) -> None:
        """Give every contract the moment from when on runs have to meet it (R38)."""
        for at, one in enumerate(self.read):
            if isinstance(one.item, AppliedContract):
                self.read[at] = replace(one, item=replace(one.item, enforce_from=enforce_from))


def read_documents(world: World, places: Iterable[str]) -> Documents:
    """Read every document of the files and folders at `places`.

    Raises:
        FileUnreadableError: a place is none, or a folder without any file that could hold one.
        LimitExceededError: a file is too large, or there are too many documents.
    """
    documents = Documents()
    for path in _files(world, places):
        for piece in split(path, _read(world, path)):
            _read_piece(world, piece, documents)
            if len(documents.read) > MAX_DOCUMENTS:
                raise LimitExceededError(
                    f"expected at most {MAX_DOCUMENTS} documents at once; apply some folders apart"
                )
    return documents


def split(path: str, raw: bytes) -> list[Piece]:
    """Return the documents of a file; those that hold nothing but comments are left out."""
    if not path.lower().endswith((".yaml", ".yml")):
        return [Piece(path, raw)]
    marks = list(_BEGIN.finditer(raw))
    spans = zip([0, *(mark.end() for mark in marks)], [*(mark.start() for mark in marks), len(raw)], strict=True)
    full = [(begin, end) for begin, end in spans if not _NOTHING.match(raw, begin, end)]
    if len(full) == 1 and full[0][1] == len(raw) and len(marks) < 2:
        # The exact bytes of a file that holds one document: a contract keeps its digest, whichever command stores it.
        return [Piece(path, raw)]
    return [Piece(path, raw[begin:end], raw.count(b"\n", 0, begin)) for begin, end in full]


def _files(world: World, places: Iterable[str]) -> Iterator[str]:
    for place in places:
        if not (world.cwd / place).is_dir():
            yield place
            continue
        found = sorted(_below(world.cwd, place))
        if not found:
            raise FileUnreadableError(
                f"the folder {place} has no file that could describe a contract or a workflow",
                hint=f"files end in {', '.join(_READ)}",
            )
        yield from found


def _below(cwd: Path, folder: str) -> Iterator[str]:
    """Yield the files of a folder and of those in it; links to folders and what is hidden are left alone.

    Raises:
        PathRefusedError: a file is a link that leads out of the folder, which may be somebody else's work (R22).
    """
    top = (cwd / folder).resolve()
    for root, folders, names in os.walk(cwd / folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inner = PurePosixPath(folder) / Path(root).relative_to(cwd / folder).as_posix()
        for name in names:
            if name.startswith(".") or not name.lower().endswith(_READ):
                continue
            if not Path(root, name).resolve().is_relative_to(top):
                raise PathRefusedError(
                    f"{inner / name} is a link that leads out of the folder {folder}",
                    hint="apply what it leads to by its own name",
                )
            yield str(inner / name)


def _read(world: World, path: str) -> bytes:
    with world.open_file(path) as file:
        raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise LimitExceededError(f"expected a file of at most {MAX_FILE_BYTES} bytes, {path} is larger")
    return raw


def _read_piece(world: World, piece: Piece, documents: Documents) -> None:
    try:
        document, findings, warnings = _read_document(world, piece)
    except ContractInvalidError as error:
        documents.findings += (piece.at(found) for found in error.findings)
        return
    except LimitExceededError as error:
        documents.findings.append(piece.at(Finding(error.code, error.message)))
        return
    documents.findings += (piece.at(found) for found in findings)
    documents.warnings += (piece.at(found) for found in warnings)
    if document is not None:
        documents.read.append(document)


_Read = tuple[Document | None, Sequence[Finding], Sequence[Finding]]
"""The document, its errors, its warnings."""


def _read_document(world: World, piece: Piece) -> _Read:
    if piece.path.lower().endswith(".cue"):
        # The kind of full CUE is known only once it was evaluated; workflows have no such form.
        return _contract(world, piece, Node({}, Place(1, 1)))
    tree = _tree(piece)
    kind = (
        tree.root.value["kind"].node.value if isinstance(tree.root.value, dict) and "kind" in tree.root.value else None
    )
    if kind == "Workflow":
        from chainloop_ci.cli.workflow_document import read_workflow

        workflow, findings = read_workflow(tree)
        return (None if workflow is None else Document(piece, tree.root, workflow)), findings, ()
    if kind == "Contract":
        return _contract(world, piece, tree.root)
    return None, [_unknown_kind(tree, kind)], ()


def _tree(piece: Piece) -> Tree:
    from chainloop_ci.contract.json_reader import read_json
    from chainloop_ci.contract.yaml12 import read_yaml

    return read_json(piece.raw) if piece.path.lower().endswith(".json") else read_yaml(piece.raw)


def _unknown_kind(tree: Tree, kind: object) -> Finding:
    is_v1 = isinstance(tree.root.value, dict) and bool({"schemaVersion", "schema_version"} & set(tree.root.value))
    found = "a contract of the form v1, which has no name" if is_v1 else repr(kind)[:80] if kind is not None else "none"
    hint = "store it with `chainloop workflow contract apply --name`" if is_v1 else "move other files elsewhere"
    return finding_at(
        tree.root, ("kind",), "unknown-kind", f"expected kind: Contract or kind: Workflow, found {found}", hint
    )


def _contract(world: World, piece: Piece, root: Node) -> _Read:
    loaded = _load(world, piece)
    if loaded.contract.name is None:
        message = "expected a contract that gives itself a name (metadata.name)"
        return None, [finding_at(root, (), "missing-field", message)], ()
    from base64 import b64encode

    item = AppliedContract(loaded.contract.name, b64encode(loaded.raw).decode(), loaded.format)
    return Document(piece, root, item), (), loaded.warnings


def _load(world: World, piece: Piece) -> LoadedContract:
    from chainloop_ci.contract.load import load
    from chainloop_ci.materials.registry import IMPLEMENTED

    evaluate = world.evaluate_cue() if piece.path.lower().endswith(".cue") else None
    return load(piece.raw, filename=piece.path, evaluate_cue=evaluate, implemented=frozenset(IMPLEMENTED))
