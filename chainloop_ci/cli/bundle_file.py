"""The file that `push --bundle` writes: a bundle is replaced, a device or a pipe is written into, nothing else."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from chainloop_ci.attestation.bundle import MAX_BUNDLE_BYTES
from chainloop_ci.cli.output import Output
from chainloop_ci.errors import FileUnwritableError, UsageError

_ANOTHER = "choose another file with --bundle"
_NO_BUNDLE = "it is a file that is no bundle"
_BUNDLE = "application/vnd.dev.sigstore.bundle"
"""How the media types of all versions begin."""
_NOT_STDOUT = "stdout holds the signed envelope; give the path of a file"


class BundleFile:
    """The adapter for `crafting.ports.BundleFile`.

    A link is followed. A device or a pipe is written into; a bundle that is there, or an empty file, is replaced in
    one step, so that a reader never sees half of a bundle; any other file stays. Only its user may read a file that is
    made here.
    """

    def __init__(self, typed: str, *, cwd: Path, belongs_to_state: Callable[[Path], bool], output: Output) -> None:
        """Look at nothing yet.

        Raises:
            UsageError: `-`.
        """
        if typed == "-":
            raise UsageError("--bundle - is not possible", hint=_NOT_STDOUT)
        self._typed = typed
        self._path = cwd / typed
        self._belongs_to_state = belongs_to_state
        self._output = output

    def check(self) -> None:
        """Find out whether the bundle can be written; changes nothing.

        Raises:
            UsageError: the place is needed for something else.
            FileUnwritableError: no folder, a folder or another file in its place, or no right to write.
        """
        if self._belongs_to_state(self._path):
            raise UsageError(f"the attestation itself is kept in {self._typed} until it is pushed", hint=_ANOTHER)
        try:
            facts = self._find_facts()
            if facts is not None:
                self._require_writable(facts)
            if facts is None or stat.S_ISREG(facts.st_mode):
                os.close(_create(self._new()))
                self._new().unlink()
        except OSError as error:
            raise self._refuse(error.strerror or str(error)) from error

    def write(self, raw: bytes) -> None:
        """Write the bundle and say where it is.

        Raises:
            FileUnwritableError: it could not be written, or not whole.
        """
        try:
            facts = self._find_facts()
            is_replaced = facts is not None and stat.S_ISREG(facts.st_mode)
            if is_replaced and not self._is_replaceable():
                raise OSError(_NO_BUNDLE)
            if facts is None or is_replaced:
                self._replace(raw)
            else:
                with os.fdopen(os.open(self._path, os.O_WRONLY), "wb") as device:
                    device.write(raw)
        except OSError as error:
            raise FileUnwritableError(
                f"the attestation is stored, but its bundle cannot be written to {self._typed}: "
                f"{error.strerror or error}",
                hint=f"push again, it is not stored twice; {_ANOTHER}",
            ) from error
        message = "bundle written in place of the one that was there" if is_replaced else "bundle written"
        self._output.info(message, path=self._typed)

    def _find_facts(self) -> os.stat_result | None:
        try:
            return self._path.stat()
        except FileNotFoundError:
            return None

    def _require_writable(self, facts: os.stat_result) -> None:
        if stat.S_ISDIR(facts.st_mode):
            raise self._refuse("it is a folder")
        if stat.S_ISSOCK(facts.st_mode):
            raise self._refuse("it is a socket")
        # /dev/stdout and the like: what is written there would be mixed with the bundle, or lost with the old file.
        streams = (self._output.stdout, self._output.stderr)
        if not stat.S_ISCHR(facts.st_mode) and any(_leads_to(stream, facts) for stream in streams):
            raise UsageError(f"this command writes its own output to {self._typed}", hint=_NOT_STDOUT)
        if not os.access(self._path, os.W_OK):
            raise self._refuse("it is write-protected")
        if stat.S_ISREG(facts.st_mode) and not self._is_replaceable():
            raise self._refuse(_NO_BUNDLE)

    def _is_replaceable(self) -> bool:
        """Tell whether the file is empty or a bundle: a mistyped path must not cost anybody a file."""
        with self._path.open("rb") as file:
            raw = file.read(MAX_BUNDLE_BYTES + 1)
        return not raw or (len(raw) <= MAX_BUNDLE_BYTES and _is_bundle(raw))

    def _replace(self, raw: bytes) -> None:
        new = self._new()
        try:
            with os.fdopen(_create(new), "wb") as file:
                file.write(raw)
            new.replace(self._target())
        finally:
            new.unlink(missing_ok=True)

    def _target(self) -> Path:
        """Return the file that a link leads to, or the path itself."""
        return Path(os.path.realpath(self._path))

    def _new(self) -> Path:
        target = self._target()
        return target.with_name(f".{target.name}.{os.getpid()}")

    def _refuse(self, reason: str) -> FileUnwritableError:
        return FileUnwritableError(
            f"the bundle cannot be written to {self._typed}: {reason}; nothing was sent", hint=_ANOTHER
        )


def _is_bundle(raw: bytes) -> bool:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and str(document.get("mediaType")).startswith(_BUNDLE)


def _leads_to(stream: TextIO, facts: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), facts)
    except OSError:  # a stream of memory has no descriptor
        return False


def _create(path: Path) -> int:
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
