"""Attestations that are kept until the control plane answers again (`--on-unreachable queue`, R20).

Beside the state lie the contents that could not be sent, each in a file that is called by its digest. What was signed
becomes one file that may be carried to another machine: state, bundle and small contents; large ones lie in a folder
beside it. All of it is for its user only. The file holds no token, and the run handle (R14) only sealed: CI systems
keep such files as artifacts, which more people read than may speak for the run.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from chainloop_ci.attestation.state import CraftingState
from chainloop_ci.attestation.state_document import from_document, to_document
from chainloop_ci.digests import Digest, digest_of_hex, hex_of, parse_digest
from chainloop_ci.errors import ChainloopError, FileUnreadableError, FileUnwritableError, StateUnwritableError
from chainloop_ci.records import record

MEDIA_TYPE = "application/vnd.chainloop.queued-attestation.v2+json"
"""Of the file."""
CLEAR_MEDIA_TYPE = "application/vnd.chainloop.queued-attestation.v1+json"
"""Of files that hold the run handle in clear, as first versions wrote them; still read, never written."""
MAX_EMBEDDED_BYTES = 1024 * 1024
"""Larger contents lie in the folder beside the file."""
MAX_ALL_EMBEDDED_BYTES = 64 * 1024 * 1024
"""Contents beyond this sum lie there too, so that the file can always be read as a whole."""
MAX_FILE_BYTES = 256 * 1024 * 1024
"""Largest file that is read."""
_BLOCK_BYTES = 1024 * 1024
_PRIVATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


OpenInside = Callable[[Path, str], BinaryIO]
"""Opens a file of a folder for reading, and nothing that lies elsewhere (R22)."""


class HandleSeal(Protocol):
    """Keeps the run handle from who reads the file."""

    def seal(self, handle: str, run_id: str) -> str:
        """Return the handle of a run as text that is worth nothing by itself."""
        ...

    def unseal(self, sealed: str, run_id: str) -> str | None:
        """Return the handle, None when it cannot be opened here."""
        ...


@record
class QueuedContent:
    """The content of a material that was not sent yet."""

    digest: Digest
    filename: str
    size_bytes: int


@record
class Queued:
    """What is kept of one attestation."""

    state: CraftingState
    """Without a run handle when it was sealed under another token."""
    bundle: bytes
    contents: tuple[QueuedContent, ...]


class PendingContents:
    """The adapter for `crafting.ports.PendingContents`: a folder beside the state file."""

    def __init__(self, state_path: Path) -> None:
        self.folder = state_path.with_name(state_path.name + ".contents")

    def keep(self, source: BinaryIO) -> Digest:
        """Copy a content and return its digest; what is there already stays.

        Raises:
            StateUnwritableError: there is no room or no right.
        """
        new = self.folder / f".new-{os.getpid()}"
        hashed = sha256()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, _PRIVATE, 0o600), "wb") as file:
                while block := source.read(_BLOCK_BYTES):
                    hashed.update(block)
                    file.write(block)
            new.replace(self.folder / hashed.hexdigest())
        except OSError as error:
            raise StateUnwritableError(
                f"a material cannot be kept for later in {self.folder}: {error.strerror or error}",
                hint="free space, or choose another place with --local-state-path",
            ) from error
        return digest_of_hex(hashed.hexdigest())

    def clear(self) -> None:
        """Forget all contents."""
        shutil.rmtree(self.folder, ignore_errors=True)


class QueueFile:
    """The file that `push --resume` reads, with the folder of its large contents."""

    def __init__(
        self,
        path: Path,
        seal: HandleSeal,
        *,
        max_embedded_bytes: int = MAX_ALL_EMBEDDED_BYTES,
        max_file_bytes: int = MAX_FILE_BYTES,
    ) -> None:
        self._seal = seal
        self._max_embedded_bytes = max_embedded_bytes
        self._max_file_bytes = max_file_bytes
        self.path = path
        self.folder = path.with_name(path.name.removesuffix(".json") + ".files")
        self._embedded: dict[str, str] = {}

    def write(self, state: CraftingState, bundle: bytes, pending: PendingContents) -> None:
        """Write the file, whole or not at all; contents are copied out of `pending`, which stays as it is.

        Raises:
            FileUnwritableError: there is no room or no right.
        """
        try:
            contents = list(self._place(_contents(state, pending.folder), pending.folder))
            self._write({**self._document(state, bundle), "contents": contents})
        except OSError as error:
            raise FileUnwritableError(
                f"the attestation cannot be kept in {self.path}: {error.strerror or error}",
                hint="free space, or run the step in a folder that may be written",
            ) from error

    def replace(self, queued: Queued) -> None:
        """Write another state and bundle; the contents stay. The handle is sealed under the token of now.

        Raises:
            FileUnreadableError, FileUnwritableError: the file cannot be read, or written.
        """
        document = self._read()
        try:
            self._write({**document, **self._document(queued.state, queued.bundle)})
        except OSError as error:
            raise FileUnwritableError(f"{self.path} cannot be written: {error.strerror or error}") from error

    def read(self) -> Queued:
        """Return what is kept.

        Raises:
            FileUnreadableError: no such file, or one that `queue` did not write.
        """
        document = self._read()
        try:
            contents = tuple(
                QueuedContent(parse_digest(entry["digest"]), _filename(entry["filename"]), _size(entry["sizeBytes"]))
                for entry in document["contents"]
            )
            self._embedded = {
                entry["digest"]: str(entry["content"]) for entry in document["contents"] if "content" in entry
            }
            bundle = base64.b64decode(document["bundle"], validate=True)
            return Queued(self._state(document), bundle, contents)
        except (ChainloopError, LookupError, TypeError, ValueError) as error:
            raise self._unusable(str(error)) from error

    def _document(self, state: CraftingState, bundle: bytes) -> dict[str, object]:
        session = state.session
        return {
            "mediaType": MEDIA_TYPE,
            "state": to_document(replace(state, session=replace(session, run_handle=""))),
            "sealedHandle": self._seal.seal(session.run_handle, state.pin.run_id),
            "bundle": base64.b64encode(bundle).decode("ascii"),
        }

    def _state(self, document: Mapping[str, Any]) -> CraftingState:
        state = from_document(document["state"])
        if document["mediaType"] == CLEAR_MEDIA_TYPE:
            return state
        handle = self._seal.unseal(str(document["sealedHandle"]), state.pin.run_id)
        return replace(state, session=replace(state.session, run_handle=handle or ""))

    @contextmanager
    def open_content(self, content: QueuedContent, open_inside: OpenInside) -> Iterator[BinaryIO]:
        """Give a content of what was read, from its start.

        The file may come from another job: what leads elsewhere, or is not what the digest says, is never sent (R22).

        Raises:
            FileUnreadableError: it is neither in the file nor in the folder beside it, or has another digest.
            PathRefusedError: it is a link to somewhere else, or no ordinary file.
        """
        with self._open(content, open_inside) as file:
            hashed = sha256()
            while block := file.read(_BLOCK_BYTES):
                hashed.update(block)
            if digest_of_hex(hashed.hexdigest()) != content.digest:
                raise self._unusable(f"the content of {content.filename} is another one than {content.digest}")
            file.seek(0)
            yield file

    def _open(self, content: QueuedContent, open_inside: OpenInside) -> BinaryIO:
        if content.digest in self._embedded:
            try:
                return BytesIO(base64.b64decode(self._embedded[content.digest], validate=True))
            except ValueError as error:
                raise self._unusable(str(error)) from error
        try:
            return open_inside(self.folder, hex_of(content.digest))
        except FileUnreadableError as error:
            error.hint = f"keep {self.folder.name} beside {self.path.name}: it holds what was too large for that file"
            raise

    def _place(self, contents: Iterable[QueuedContent], folder: Path) -> Iterator[dict[str, object]]:
        """Yield what the file says of each content, with the content itself where there is room for it."""
        left = self._max_embedded_bytes
        for content in contents:
            source, size = folder / hex_of(content.digest), content.size_bytes
            entry = {"digest": content.digest, "filename": content.filename, "sizeBytes": size}
            if size <= min(MAX_EMBEDDED_BYTES, left):
                left -= size
                yield {**entry, "content": base64.b64encode(source.read_bytes()).decode("ascii")}
                continue
            self.folder.mkdir(mode=0o700, exist_ok=True)
            # A copy: until the file is written what the state says has to hold.
            copy = self.folder / hex_of(content.digest)
            copy.unlink(missing_ok=True)
            with source.open("rb") as kept, os.fdopen(os.open(copy, _PRIVATE, 0o600), "wb") as file:
                shutil.copyfileobj(kept, file, _BLOCK_BYTES)
            yield dict(entry)

    def _write(self, document: Mapping[str, object]) -> None:
        new = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        new.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(new, _PRIVATE, 0o600), "wb") as file:
                file.write(json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
        finally:
            with suppress(OSError):
                new.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            if self.path.exists() and not self.path.is_file():  # a pipe would be waited for
                raise OSError(0, "it is no ordinary file")
            with self.path.open("rb") as file:
                raw = file.read(self._max_file_bytes + 1)
            if len(raw) > self._max_file_bytes:
                raise self._unusable(f"it is larger than {self._max_file_bytes} bytes")
            document = json.loads(raw)
        except OSError as error:
            raise FileUnreadableError(
                f"{self.path} cannot be read: {error.strerror or error}", hint="check the path"
            ) from error
        except (ValueError, RecursionError) as error:
            raise self._unusable("it is no JSON") from error
        if not isinstance(document, dict) or document.get("mediaType") not in (MEDIA_TYPE, CLEAR_MEDIA_TYPE):
            raise self._unusable(f"expected the media type {MEDIA_TYPE}")
        return document

    def _unusable(self, reason: str) -> FileUnreadableError:
        return FileUnreadableError(
            f"{self.path} is no attestation that `--on-unreachable queue` has kept: {reason}",
            hint="give the file chainloop-queued-<run id>.json as the job has written it",
        )


def _contents(state: CraftingState, folder: Path) -> Iterator[QueuedContent]:
    """Return the contents of the materials that were kept, each once."""
    seen: set[str] = set()
    for material in state.materials.values():
        place = folder / hex_of(material.digest)
        is_kept = place.is_file() and not place.is_symlink()
        if material.uploaded and material.digest not in seen and is_kept:
            seen.add(material.digest)
            yield QueuedContent(material.digest, material.filename or material.name, place.stat().st_size)


def _filename(said: object) -> str:
    name = str(said)
    name.encode()  # no job keeps a file whose name is no text
    return name


def _size(said: object) -> int:
    if not isinstance(said, int) or said < 0:
        raise ValueError(f"expected a size in bytes, found {str(said)[:80]}")
    return said
