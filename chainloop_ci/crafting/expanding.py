"""From what somebody wrote for a material to files: patterns, several files of one entry, and files that are not there.

One file is the material. Several JUnit reports are packed into one archive; files of other types are refused by name,
unless the entry says `multiple: true`: then each is a material. The decision record on several files says why so.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from chainloop_ci.contract.types import Contract, ContractMaterial, MaterialType
from chainloop_ci.crafting.add import AddRequest
from chainloop_ci.crafting.file_names import names_of
from chainloop_ci.crafting.packing import Pack, PackedFile
from chainloop_ci.crafting.ports import FileFinder, Matches, Reporter
from chainloop_ci.errors import FileUnreadableError, MaterialRejectedError
from chainloop_ci.records import record

PACKED = MaterialType.JUNIT_XML
"""The type whose material may be an archive of several files (reference section 3.3)."""
MAX_PATTERN_TEXT = 1024
"""A longer value is a text, not a pattern."""

_NOT_OF_A_FILE = (MaterialType.STRING,)
_SHOWN = 10


@record
class MaterialRequest:
    """One entry: what to add, and how its value is written."""

    add: AddRequest
    """With a name."""
    is_path: bool = True
    """Whether the value may be a pattern; a `value` of `.chainloop.yml` is what it is."""
    is_file: bool = False
    """Whether it names a file and never a text, as a `path` of `.chainloop.yml` does."""
    multiple: bool = False
    """Whether each of several files becomes a material."""


def expand(
    request: MaterialRequest, contract: Contract, files: FileFinder, taken: Collection[str], report: Reporter
) -> list[AddRequest]:
    """Return what to add for one entry; `taken` are the names of the other entries.

    Raises:
        FileUnreadableError: nothing matches; the message has the pattern, the folder and the nearest files.
        MaterialRejectedError: several files match what is one material; the message has them.
        PathRefusedError, LimitExceededError, UsageError: as files are looked for.
    """
    add, wanted = request.add, _find_type(request.add, contract)
    if not request.is_path or wanted in _NOT_OF_A_FILE or files.file_exists(add.value):
        return [add]
    may_be_text = wanted is None and not request.is_file
    if (may_be_text or wanted is MaterialType.CONTAINER_IMAGE) and not _may_be_pattern(add.value, files):
        return [add]
    found = files.find(add.value)
    for folder in found.unlisted:
        report.warning("a folder may not be listed; what is in it was not looked at", folder=folder, pattern=add.value)
    if not found.paths and may_be_text and not _is_meant_as_pattern(add.value):
        return [add]
    if not found.paths:
        raise _nothing_found(add.value, found, files, may_be_text=may_be_text)
    if len(found.paths) == 1:
        return [replace(add, value=found.paths[0])]
    if request.multiple:
        return _each(add, wanted, found.paths, contract, taken)
    if wanted is PACKED:
        return [replace(add, type=wanted, pack=_pack(add.name or "", found))]
    raise _several_found(add, wanted, found.paths)


def pack_name(name: str) -> str:
    """Return the file name of the archive of a material; a name may be missing."""
    return f"{name or 'reports'}.zip"


def _pack(name: str, found: Matches) -> Pack:
    # Below the pattern's own folder: the same files have the same names wherever the workspace lies.
    files = tuple(PackedFile(path.removeprefix(found.base).replace("\\", "/"), path) for path in found.paths)
    return Pack(pack_name(name), files)


def _find_type(add: AddRequest, contract: Contract) -> MaterialType | None:
    entry = contract.find_material(add.name or "")
    return entry.type if entry else add.type


def _may_be_pattern(value: str, files: FileFinder) -> bool:
    return len(value) <= MAX_PATTERN_TEXT and "://" not in value and "\n" not in value and files.is_pattern(value)


def _is_meant_as_pattern(value: str) -> bool:
    """Tell a pattern from a text: «dist/?.whl» from «Really?»."""
    return "*" in value or "/" in value


def _each(
    add: AddRequest, wanted: MaterialType | None, paths: Sequence[str], contract: Contract, taken: Collection[str]
) -> list[AddRequest]:
    """Return one request for each file: under the contract's name for it, else the entry's, else numbered ones."""
    own = add.name or ""
    free = {entry.name for entry in contract.materials if entry.type is wanted and entry.name not in taken} - {own}
    requests: list[AddRequest] = []
    others: list[str] = []
    for path in paths:
        named = next((name for name in names_of(path) if name in free), None)
        if named is None:
            others.append(path)
        else:
            free.remove(named)
            requests.append(replace(add, name=named, value=path))
    entry = contract.find_material(own)
    if len(others) > 1:
        _require_countable(entry, others)
    used = {*taken, *(entry.name for entry in contract.materials)}
    return requests + [
        replace(add, value=path) if at == 0 else _further(add, entry, wanted, _number(own, used), path)
        for at, path in enumerate(others)
    ]


def _further(
    add: AddRequest, entry: ContractMaterial | None, wanted: MaterialType | None, name: str, path: str
) -> AddRequest:
    fixed = {note.name: note.value for note in entry.annotations if note.value} if entry else {}
    annotations = {**add.annotations, **fixed}
    return replace(add, name=name, value=path, type=wanted, annotations=annotations, is_further=True)


def _number(name: str, used: set[str]) -> str:
    """Return `name-1`, `name-2` … (reference section 1.3), the first that nobody has."""
    number = 1
    while f"{name}-{number}" in used:
        number += 1
    used.add(f"{name}-{number}")
    return f"{name}-{number}"


def _require_countable(entry: ContractMaterial | None, paths: Sequence[str]) -> None:
    if entry is None or not (entry.output or entry.skip_upload):
        return
    word = "an output" if entry.output else "not uploaded"
    raise MaterialRejectedError(
        f"{len(paths)} files match the material {entry.name}, which is {word} by the contract, and that holds for one "
        f"file: {_show(paths)}",
        hint="let the contract have an entry for each, named like the file",
    )


def _nothing_found(value: str, found: Matches, files: FileFinder, *, may_be_text: bool) -> FileUnreadableError:
    near = ", ".join(files.suggest(value))
    what = f"no file matches {value} in {found.folder}" if files.is_pattern(value) else _no_file(value, found.folder)
    as_text = "; to attest the text itself, give --kind STRING beside it" if may_be_text else ""
    # Where there is nothing like it the whole checkout may have been forgotten.
    fetched = "" if near else "; a file of the repository needs its checkout before this step, too"
    ways = f"{fetched}{as_text}"
    return FileUnreadableError(
        f"{what}; {f'the nearest: {near}' if near else 'nothing there has a name like it'}",
        hint=f"check how it is written, and that the step which writes the file comes before this one{ways}",
    )


def _no_file(value: str, folder: str) -> str:
    return f"there is no file {value}" if value.startswith("/") else f"there is no file {folder}/{value}"


def _several_found(add: AddRequest, wanted: MaterialType | None, paths: Sequence[str]) -> MaterialRejectedError:
    what = f"a material of type {wanted}" if wanted else "a material"
    return MaterialRejectedError(
        f"{len(paths)} files match {add.value}, and {what} is one file: {_show(paths)}",
        hint="write a pattern that matches one of them; or, when each is a material, `multiple: true` beside it in "
        ".chainloop.yml",
    )


def _show(paths: Sequence[str]) -> str:
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
