"""Which materials of the contract the files of a list are (`--checksums`, `--artifact-list`).

A list names files, the contract names materials. A file is the material whose name it has (`sbom.cdx.json` is
`sbom-cdx-json`, `sbom-cdx` or `sbom`), else the only one left of the type that its content has. Several reports of one
JUNIT_XML are packed; between several files of another type nobody chooses. What is no material is told, with the entry
that was perhaps meant: a list is of all that was built, so that is no error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import PurePath

from chainloop_ci.contract.types import Contract, ContractMaterial, MaterialType
from chainloop_ci.crafting.add import AddRequest
from chainloop_ci.crafting.content import BLOCK_BYTES, ContentReader
from chainloop_ci.crafting.expanding import PACKED, pack_name
from chainloop_ci.crafting.file_lists import MAX_LISTED_FILES, FileList, ListedFile
from chainloop_ci.crafting.file_names import find_near, names_of
from chainloop_ci.crafting.packing import Pack, PackedFile
from chainloop_ci.crafting.ports import FileFinder, Reporter
from chainloop_ci.digests import Digest, digest_of_hex
from chainloop_ci.errors import ChainloopError, FileUnreadableError, Finding, Findings, LimitExceededError
from chainloop_ci.records import record

_SHOWN = 20
"""How many files that are no material are told one by one."""


@record
class FoundFile:
    """A file of a list, where it lies."""

    path: str
    """From the workspace's folder, with `/`."""
    place: str
    """Its real path: what two lists call differently is one file."""
    source: str
    """For people: the list, and its line."""
    digest: Digest | None = None


@record
class Given:
    """What is added anyway."""

    names: frozenset[str]
    """Of the materials."""
    places: frozenset[str]
    """Real paths of their files."""


@record
class Taken:
    """What becomes of the files of the lists."""

    adds: tuple[AddRequest, ...]
    findings: tuple[Finding, ...]


class ListedFiles:
    """Turns lists into materials."""

    def __init__(self, files: FileFinder, reader: ContentReader, report: Reporter) -> None:
        self._files = files
        self._reader = reader
        self._report = report

    def __call__(self, lists: Sequence[FileList], contract: Contract, given: Given, template: AddRequest) -> Taken:
        """Return what to add besides what is given, and everything that is wrong with the files.

        `template` is what the materials have in common.
        """
        findings = Findings()
        found = self._check_digests(self._locate(lists, findings), findings)
        free = {entry.name: entry for entry in contract.materials if entry.name not in given.names and _is_file(entry)}
        open_files = [file for file in found if file.place not in given.places]
        names = frozenset(entry.name for entry in contract.materials)
        matcher = _Matcher(free, names, self._find_type)
        matched, others = matcher(open_files)
        self._tell(others, [entry for name, entry in free.items() if name not in matched], matcher)
        adds = tuple(_request(free[name], files, template) for name, files in matched.items())
        return Taken(adds, tuple(findings))

    def _locate(self, lists: Iterable[FileList], findings: Findings) -> list[FoundFile]:
        """Return the files of the lists, each once; a folder stands for the files in it."""
        found: dict[str, FoundFile] = {}
        for listing in lists:
            for file in listing.files:
                source = f"{listing.source} line {file.line}" if file.line else listing.source
                try:
                    located = self._find(file, listing.folders, source)
                except ChainloopError as error:
                    findings.append(Finding(error.code, f"{source}: {error.message}", hint=error.hint))
                    continue
                for each in located:
                    known = found.setdefault(each.place, each)
                    found[each.place] = _merge(known, each, findings)
        return list(found.values())

    def _find(self, file: ListedFile, folders: Sequence[str], source: str) -> list[FoundFile]:
        candidates = [str(PurePath(folder, file.path)) for folder in folders]
        path = next((path for path in candidates if self._files.file_exists(path)), candidates[-1])
        place = self._files.locate(path)
        if not self._files.file_exists(path):
            raise FileUnreadableError(
                f"there is no file {file.path} in {' or '.join(folders)}",
                hint="attest after the files were built, in the folder that the list speaks of",
            )
        if self._files.is_file(path) or file.digest:
            return [FoundFile(self._inside(path, place), place, source, file.digest)]
        below = self._files.find(f"{_literally(self._inside(path, place))}/**").paths
        if len(below) > MAX_LISTED_FILES:
            raise LimitExceededError(f"the folder {file.path} has {len(below)} files, at most {MAX_LISTED_FILES}")
        return [FoundFile(each, self._files.locate(each), source) for each in below]

    def _inside(self, path: str, place: str) -> str:
        """Return how a path is written from the workspace's folder; the name of a link stays, where it can."""
        root, written = self._files.locate("."), PurePath(path)
        is_plain = written.is_relative_to(root) and ".." not in written.parts
        return (written if is_plain else PurePath(place)).relative_to(root).as_posix()

    def _check_digests(self, files: Iterable[FoundFile], findings: Findings) -> list[FoundFile]:
        """Return the files that are what the list says of them."""
        return [file for file in files if file.digest is None or self._is_as_listed(file, file.digest, findings)]

    def _is_as_listed(self, file: FoundFile, expected: Digest, findings: Findings) -> bool:
        try:
            digest = self._hash(file.path)
        except ChainloopError as error:
            findings.append(Finding(error.code, f"{file.source}: {error.message}", hint=error.hint))
            return False
        if digest != expected:
            message = f"{file.source}: {file.path}: expected {expected}, found {digest}"
            hint = "write the checksums after the last step that changes the file"
            findings.append(Finding("digest-mismatch", message, hint=hint))
        return digest == expected

    def _hash(self, path: str) -> Digest:
        hashed = sha256()
        with closing(self._files.open_file(path)) as file:
            while block := file.read(BLOCK_BYTES):
                hashed.update(block)
        return digest_of_hex(hashed.hexdigest())

    def _find_type(self, path: str) -> MaterialType | None:
        """Return the type that a file's content has; None for a file that is no material of any."""
        with suppress(ChainloopError), self._reader.open(path, None, strict=True, credentials=None) as content:
            return content.type
        return None

    def _tell(self, others: Sequence[FoundFile], missing: Sequence[ContractMaterial], matcher: _Matcher) -> None:
        for file in others[:_SHOWN]:
            near = find_near(file.path, [entry.name for entry in missing])
            fitting = [] if near or not missing else matcher.find_fitting(file, missing)
            hints = {
                "did_you_mean": f"--material {near}={file.path}" if near else "",
                "would_fit": ",".join(entry.name for entry in fitting),
            }
            self._report.warning(
                f"{file.path} of {file.source} is no material of the contract and is not attested",
                **{fact: text for fact, text in hints.items() if text},
            )
        if len(others) > _SHOWN:
            self._report.warning(f"{len(others) - _SHOWN} more files of the lists are no materials of the contract")


class _Matcher:
    """Finds the material of each file."""

    def __init__(
        self,
        entries: Mapping[str, ContractMaterial],
        names: frozenset[str],
        find_type: Callable[[str], MaterialType | None],
    ) -> None:
        self._entries = entries
        self._names = names
        """Of all entries of the contract: a file that is named like one of them is never another."""
        self._find_type = find_type
        self._types: dict[str, MaterialType | None] = {}

    def __call__(self, files: Sequence[FoundFile]) -> tuple[dict[str, list[FoundFile]], list[FoundFile]]:
        """Return the files of each material, by its name, and those of none."""
        matched = self._by_name(files)
        taken = {file.place for found in matched.values() for file in found}
        left = {name: entry for name, entry in self._entries.items() if name not in matched}
        for file in files if left else ():
            if file.place not in taken and self._names.isdisjoint(names_of(file.path)):
                fitting = self.find_fitting(file, left.values())
                if len(fitting) == 1:
                    matched.setdefault(fitting[0].name, []).append(file)
        matched = {name: found for name, found in matched.items() if len(found) == 1 or self._is_packed(name)}
        taken = {file.place for found in matched.values() for file in found}
        return matched, [file for file in files if file.place not in taken]

    def find_fitting(self, file: FoundFile, entries: Iterable[ContractMaterial]) -> list[ContractMaterial]:
        """Return the entries of the type that a file's content has."""
        return [entry for entry in entries if entry.type is self._type(file)]

    def _by_name(self, files: Sequence[FoundFile]) -> dict[str, list[FoundFile]]:
        """Return the files that have the name of a material; with the fewest endings left out."""
        rated: dict[str, list[tuple[int, FoundFile]]] = {}
        for file in files:
            for left_out, name in enumerate(names_of(file.path)):
                if name in self._entries:
                    rated.setdefault(name, []).append((left_out, file))
                    break
        return {name: chosen for name, ratings in rated.items() if (chosen := self._choose(name, ratings))}

    def _choose(self, name: str, ratings: Sequence[tuple[int, FoundFile]]) -> list[FoundFile]:
        if len(ratings) == 1:
            return [ratings[0][1]]
        fitting = [(left_out, file) for left_out, file in ratings if self._type(file) is self._entries[name].type]
        fewest = min((left_out for left_out, _ in fitting), default=0)
        return [file for left_out, file in fitting if left_out == fewest or self._is_packed(name)]

    def _is_packed(self, name: str) -> bool:
        return self._entries[name].type is PACKED

    def _type(self, file: FoundFile) -> MaterialType | None:
        if file.place not in self._types:
            self._types[file.place] = self._find_type(file.path)
        return self._types[file.place]


def _is_file(entry: ContractMaterial) -> bool:
    return entry.type is not MaterialType.STRING


def _merge(known: FoundFile, other: FoundFile, findings: Findings) -> FoundFile:
    if known.digest and other.digest and known.digest != other.digest:
        message = f"{known.path}: {known.source} has {known.digest}, {other.source} has {other.digest}"
        findings.append(Finding("digest-mismatch", message))
    return known if known.digest else replace(known, digest=other.digest, source=other.source)


def _request(entry: ContractMaterial, files: Sequence[FoundFile], template: AddRequest) -> AddRequest:
    first = files[0]
    if len(files) == 1:
        # An image has the digest of its manifest, not of the file that it lies in; the file was checked already.
        expected = None if entry.type is MaterialType.CONTAINER_IMAGE else first.digest
        return replace(template, name=entry.name, value=first.path, expected=expected)
    packed = tuple(PackedFile(file.path, file.path, file.digest) for file in files)
    return replace(template, name=entry.name, value=first.source, pack=Pack(pack_name(entry.name), packed))


def _literally(path: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in path)
