"""The content of a material: read once, typed, checked and hashed, before anything of it is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import field
from hashlib import sha256
from pathlib import PurePath
from typing import BinaryIO

from chainloop_ci.attestation.state import ImageReference
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.crafting.file_names import is_text
from chainloop_ci.crafting.packing import Pack, make_archive
from chainloop_ci.crafting.ports import Files, ImageResolver, RegistryCredentials
from chainloop_ci.digests import Digest, digest_of_hex, sha256_digest
from chainloop_ci.errors import FileUnreadableError, LimitExceededError, MaterialRejectedError
from chainloop_ci.materials.annotations import LENIENT, VALIDATION
from chainloop_ci.materials.registry import get_kind, infer, may_be_document
from chainloop_ci.materials.types import (
    MAX_DESCRIBED_BYTES,
    MAX_DOCUMENT_BYTES,
    Checked,
    MainComponent,
    MaterialKind,
    MaterialSource,
)
from chainloop_ci.records import record

BLOCK_BYTES = 1024 * 1024
_HEAD_BYTES = 4096
_TEXT_NOT_FILE = "a STRING attests the text itself: {}, not the content of the file of that name"


@record
class Content:
    """A value whose type is known and whose content was accepted."""

    type: MaterialType
    size_bytes: int | None = None
    """None for an image."""
    value: str | None = None
    """STRING only."""
    filename: str | None = None
    image: ImageReference | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    main_component: MainComponent | None = None
    notices: tuple[str, ...] = ()
    """What the user should look at."""
    raw: bytes | None = field(default=None, repr=False)
    """The whole content, when it was read."""
    file: BinaryIO | None = field(default=None, repr=False)
    """A file that is still to be read, from its start."""

    def digest(self) -> Digest:
        """Return the digest; reads `file` through when the content was not read yet, and rewinds it."""
        if self.image is not None:
            return self.image.digest
        if self.raw is not None:
            return sha256_digest(self.raw)
        if self.file is None:
            raise ValueError("a content is an image, bytes or a file")
        hashed = sha256()
        self.file.seek(0)
        while block := self.file.read(BLOCK_BYTES):
            hashed.update(block)
        self.file.seek(0)
        return digest_of_hex(hashed.hexdigest())

    def read(self) -> bytes:
        """Return the whole content of what is known to be small."""
        if self.raw is not None:
            return self.raw
        return self.file.read() if self.file else b""


class ContentReader:
    """Reads the values that `add` is given."""

    def __init__(self, files: Files, images: ImageResolver) -> None:
        self._files = files
        self._images = images

    @contextmanager
    def open(
        self,
        value: str,
        wanted: MaterialType | None,
        *,
        strict: bool,
        credentials: RegistryCredentials | None,
        pack: Pack | None = None,
    ) -> Iterator[Content]:
        """Give the content of `value`; without a type, find it out by itself. Closes the file at the end.

        With `pack` it is the archive of those files, which must have a type.

        Raises:
            MaterialRejectedError: the content is empty or not of its type.
            FileUnreadableError, PathRefusedError, LimitExceededError: the file cannot be read.
            ImageUnresolvedError, RegistryLoginError: a registry has no digest. The value never becomes a STRING then.
        """
        if wanted is None and self._images.is_layout(value):
            wanted = MaterialType.CONTAINER_IMAGE  # a folder is nothing else
        kind = get_kind(wanted) if wanted else None
        if pack is not None and kind is not None:
            yield _read_document(pack.filename, make_archive(pack, self._files.open_file), kind, strict)
            return
        if kind is None and not self._files.file_exists(value):
            _refuse_missing_path(value)
            kind = infer(value, None, is_file=False, strict=strict).kind
        if kind is not None and kind.source is MaterialSource.LITERAL:
            yield _literal(value, is_file=self._files.is_file(value))
        elif kind is not None and kind.source is MaterialSource.IMAGE:
            image = self._images.resolve(value, credentials)
            yield Content(kind.type, image=image, filename=image.name)
        else:
            with closing(self._files.open_file(value)) as file:
                yield _read_file(value, file, kind, strict)


def _literal(value: str, *, is_file: bool) -> Content:
    if not value:
        raise MaterialRejectedError(
            "a STRING needs a value, found an empty one", hint="give the text, or leave the material out"
        )
    raw = value.encode("utf-8", "surrogateescape")
    notices = (_TEXT_NOT_FILE.format(value),) if is_file else ()
    return Content(MaterialType.STRING, size_bytes=len(raw), value=value, raw=raw, notices=notices)


def _refuse_missing_path(value: str) -> None:
    """Refuse a value that was surely meant as a file: as a text it would be attested without anybody noticing."""
    if value.startswith(("/", "./", "../", "~/", ".\\", "..\\")):
        raise FileUnreadableError(
            f"there is no file {value}",
            hint="check the path; to attest the text itself, let the contract say STRING for it, or give --kind STRING",
        )


def _read_file(path: str, file: BinaryIO, kind: MaterialKind | None, strict: bool) -> Content:
    size = file.seek(0, 2)
    file.seek(0)
    name = PurePath(path).name
    if not is_text(name):
        raise MaterialRejectedError(
            f"the name of {path} has bytes that are no UTF-8, and no attestation can hold it", hint="rename the file"
        )
    if size == 0:
        raise MaterialRejectedError(f"{path}: file is empty", hint="check the step that writes it")
    raw: bytes | None = None
    checked: Checked | None = None
    notices: tuple[str, ...] = ()
    if kind is None:
        head = file.read(_HEAD_BYTES)
        raw = head + file.read() if may_be_document(head, size) else None
        file.seek(0)
        found = infer(path, raw, is_file=True, strict=strict)
        kind, checked, notices = found.kind, found.checked, found.near_misses
    if kind.source is MaterialSource.DOCUMENT:
        raw = _read_whole(path, file, size) if raw is None else raw
        return _read_document(path, raw, kind, strict, checked, notices)
    described = _describe(kind, file, size)
    return Content(kind.type, size_bytes=size, filename=name, annotations=described, notices=notices, file=file)


def _read_document(
    path: str,
    raw: bytes,
    kind: MaterialKind,
    strict: bool,
    checked: Checked | None = None,
    notices: tuple[str, ...] = (),
) -> Content:
    checked = _check(path, kind, raw, strict) if checked is None else checked
    return Content(
        kind.type,
        size_bytes=len(raw),
        filename=PurePath(path).name,
        annotations=checked.annotations if strict else {**checked.annotations, VALIDATION: LENIENT},
        main_component=checked.main_component,
        notices=(*notices, *checked.warnings),
        raw=raw,
    )


def _read_whole(path: str, file: BinaryIO, size: int) -> bytes:
    if size > MAX_DOCUMENT_BYTES:
        raise LimitExceededError(
            f"{path} has {size} bytes; a document of a checked type may have {MAX_DOCUMENT_BYTES}",
            hint="split it, or add it as ARTIFACT or EVIDENCE under a name that is not in the contract",
        )
    return file.read()


def _check(path: str, kind: MaterialKind, raw: bytes, strict: bool) -> Checked:
    if kind.check is None:
        return Checked()
    try:
        return kind.check(raw, strict)
    except MaterialRejectedError as error:
        hint = error.hint or (
            f"give the {kind.title} that a tool wrote, or correct that tool; a file of another kind is added under a "
            "name that the contract does not know"
        )
        raise MaterialRejectedError(f"{path}: {error.message}", hint=hint, findings=error.findings) from error


def _describe(kind: MaterialKind, file: BinaryIO, size: int) -> Mapping[str, str]:
    if kind.describe_small is None or size > MAX_DESCRIBED_BYTES:
        return {}
    described = kind.describe_small(file.read())
    file.seek(0)
    return described
