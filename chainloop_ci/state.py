"""The local state file: one attestation in the making, shared by the commands of a job (design decision 17).

Every change is made under an exclusive lock, on what the file holds then, and replaces the file in one step: parallel
`add`s all survive, and a process that is killed leaves the old state or the new one. The signed bundle lies beside it,
so that pushing again sends the same bytes; after a push a note stays there that says what was pushed. The file holds
the run handle (R14) and no token; it is readable only by its user.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from chainloop_ci.attestation.state import CraftingState
from chainloop_ci.attestation.state_document import from_document, is_ours, to_document
from chainloop_ci.digests import Digest
from chainloop_ci.errors import (
    AlreadyInitializedError,
    ConflictError,
    StateBrokenError,
    StateForeignError,
    StateLockedError,
    StateMissingError,
    StateUnwritableError,
)
from chainloop_ci.runners.types import CiIdentity
from chainloop_ci.state_place import PATH_VARIABLE

LOCK_TIMEOUT_SECONDS = 10.0
"""How long a command waits for its turn. A turn takes milliseconds."""

_POLL_SECONDS = 0.01
_ANOTHER_PLACE = f"choose another place with --local-state-path or {PATH_VARIABLE}"
_HOW_TO_RESET = (
    "drop it with `chainloop attestation reset`, or start again with `chainloop attestation init --replace`; "
    "another place is chosen with --local-state-path"
)


def belongs_to_other_job(state: CraftingState, ci: CiIdentity) -> bool:
    """Tell whether `state` was made by another job than the one that `ci` describes.

    The matrix leg counts only when both know theirs: it reaches a command as an option, not by a variable.
    """
    kept = state.session.ci
    if kept.job_index is None or ci.job_index is None:
        kept, ci = replace(kept, job_index=None), replace(ci, job_index=None)
    return kept.job_key != ci.job_key


class LocalState:
    """The state file at `path`, with its lock and its signed bundle beside it.

    A file at `path` that chainloop did not write stays as it is: every method raises `StateForeignError`.
    """

    def __init__(self, path: Path, *, lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS) -> None:
        self.path = path
        self._bundle = path.with_name(path.name + ".bundle")
        self._lock = path.with_name(path.name + ".lock")
        self._new = path.with_name(path.name + ".new")
        self._last = path.with_name(path.name + ".last")
        self._files = (self.path, self._bundle, self._new, self._last)
        self._lock_timeout_seconds = lock_timeout_seconds

    def find(self) -> CraftingState | None:
        """Return the state; None when there is none.

        Raises:
            StateBrokenError: the file cannot be used.
        """
        raw = self._read()
        return None if raw is None else self._parse(raw)

    def load(self) -> CraftingState:
        """Return the state.

        Raises:
            StateMissingError: nothing is being crafted here.
            StateBrokenError: the file cannot be used.
        """
        state = self.find()
        if state is None:
            pushed = self._last_pushed()
            start = "`chainloop attestation init`, in the same folder and the same job"
            raise StateMissingError(
                f"no attestation is being crafted here (no state file {self.path}){pushed}",
                hint=f"that one is done, it need not be pushed again; another begins with {start}"
                if pushed
                else f"start with {start}",
            )
        return state

    def owns(self, path: Path) -> bool:
        """Tell whether `path` is the state file or one that belongs to it."""
        return os.path.realpath(path) in map(os.path.realpath, (self._lock, *self._files))

    def create(self, state: CraftingState, *, replace: bool = False) -> CraftingState | None:
        """Save a new state and return the one that it replaced, if any: another job's, or with `replace` any.

        Raises:
            AlreadyInitializedError: this job has a state and `replace` was not asked for.
            StateBrokenError: the file cannot be used, so whose it is is unknown, and `replace` was not asked for.
            StateLockedError, StateUnwritableError: the file cannot be changed.
        """
        with self._exclusive():
            previous = self._replaceable(state.session.ci, replace)
            self._remove(self._bundle)
            self._remove(self._last)
            self._write(self.path, _render(state))
        return previous

    def update(self, change: Callable[[CraftingState], CraftingState]) -> CraftingState:
        """Save what `change` makes of the newest state and return it; a change of materials drops the signed bundle.

        Raises:
            StateMissingError, StateBrokenError: as `load`.
            StateLockedError, StateUnwritableError: the file cannot be changed.
        """
        with self._exclusive():
            before = self.load()
            after = change(before)
            if after.materials != before.materials:
                # First: a bundle without one of the materials must not outlive the change.
                self._remove(self._bundle)
            if after != before:
                self._write(self.path, _render(after))
        return after

    def clear(self) -> None:
        """Remove the state and all that belongs to it; nothing happens when there is none.

        Raises:
            StateLockedError, StateUnwritableError: the files cannot be removed.
        """
        self._clear()

    def finish(self, run_id: str, digest: Digest) -> None:
        """Remove the state of an attestation that was pushed, and note which one it was.

        Raises:
            StateLockedError, StateUnwritableError: as `clear`.
        """
        self._clear(note=json.dumps({"run": run_id, "digest": digest}).encode() + b"\n")

    def _clear(self, note: bytes = b"") -> None:
        if not self.path.parent.is_dir():
            return
        with self._exclusive():
            with suppress(StateBrokenError):
                self._read()
            if note:
                # First: who is killed after it finds the state, and pushes again, or finds what was pushed.
                with suppress(StateUnwritableError):  # nothing else depends on it
                    self._write(self._last, note)
            for path in self._files:
                if not (note and path == self._last):
                    self._remove(path)
            # Windows keeps a file that is open; it is empty and does no harm.
            with suppress(OSError):
                self._lock.unlink()

    def save_bundle(self, raw: bytes, *, signed: CraftingState | None = None) -> None:
        """Keep the signed bundle until the state is cleared or its materials change.

        `signed` is the state that was signed: given, the bundle is refused when the materials are others by now.

        Raises:
            ConflictError: a material was added while the attestation was being signed.
            StateMissingError, StateBrokenError: as `load`.
            StateLockedError, StateUnwritableError: the file cannot be written.
        """
        with self._exclusive():
            now = self.load()
            if signed is not None and now.materials != signed.materials:
                raise ConflictError(
                    "the materials changed while the attestation was being signed; nothing was sent",
                    hint="run `chainloop attestation push` again, after the last `add` has ended",
                )
            self._write(self._bundle, raw)

    def load_bundle(self) -> bytes | None:
        """Return the bundle that was signed from this state; None when there is none."""
        if not self.path.exists():
            return None
        try:
            return self._bundle.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._broken(f"the signed bundle beside it cannot be read: {error.strerror or error}") from error

    def shared_digest(self) -> Digest | None:
        """Return None: nobody but this job changes its file."""
        return None

    def _last_pushed(self) -> str:
        """Return what is known of the attestation that was pushed last, for an error message."""
        try:
            note = json.loads(self._last.read_bytes())
            return f"; the last one was pushed (run {note['run']}, digest {note['digest']})"
        except (OSError, ValueError, LookupError, TypeError):
            return ""

    def _read(self) -> bytes | None:
        if self.path.exists() and not self.path.is_file():
            raise self._foreign("a folder or a device")
        try:
            with self.path.open("rb") as file:
                raw = file.read()
                if not is_ours(raw):
                    raise self._foreign("a file that chainloop did not write")
                self._require_own(os.fstat(file.fileno()))
                return raw
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._foreign(f"a file that cannot be read ({error.strerror or error})") from error

    def _require_own(self, facts: os.stat_result) -> None:
        # In a shared folder somebody else could have laid down a state that sends our token to his server.
        if sys.platform != "win32" and os.geteuid() != 0 and facts.st_uid not in (os.geteuid(), 0):
            raise self._broken("it belongs to another user", _ANOTHER_PLACE)

    def _parse(self, raw: bytes) -> CraftingState:
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise self._broken(f"it is no complete JSON document: {error}") from error
        try:
            return from_document(document)
        except StateBrokenError as error:
            raise StateBrokenError(
                f"the state file {self.path}: {error.message}", hint=_HOW_TO_RESET, findings=error.findings
            ) from error

    def _broken(self, reason: str, hint: str = _HOW_TO_RESET) -> StateBrokenError:
        return StateBrokenError(f"the state file {self.path} cannot be used: {reason}", hint=hint)

    def _foreign(self, found: str) -> StateForeignError:
        return StateForeignError(
            f"expected the state of an attestation at {self.path}, found {found}; it is left as it is",
            hint=_ANOTHER_PLACE,
        )

    def _replaceable(self, ci: CiIdentity, replace: bool) -> CraftingState | None:
        try:
            previous = self.find()
        except StateBrokenError:
            if replace:
                return None
            raise
        if previous is None or replace or belongs_to_other_job(previous, ci):
            return previous
        raise AlreadyInitializedError(previous.pin.name, previous.initialized_at)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        descriptor = self._acquire()
        try:
            yield
        finally:
            os.close(descriptor)

    def _acquire(self) -> int:
        deadline = time.monotonic() + self._lock_timeout_seconds
        with self._writing():
            _make_private_folder(self.path.parent)
            while (descriptor := self._try_acquire()) is None:
                if time.monotonic() >= deadline:
                    raise StateLockedError(
                        f"another process works on {self.path} for more than {self._lock_timeout_seconds:g} s",
                        hint="wait until the others that craft in this job have ended, then try again",
                    )
                time.sleep(_POLL_SECONDS)
        return descriptor

    def _try_acquire(self) -> int | None:
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o600)
        try:
            # `clear` may have removed the file between the opening and the lock: then it guards nothing any more.
            if _try_lock(descriptor) and os.path.samestat(os.fstat(descriptor), self._lock.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def _write(self, path: Path, raw: bytes) -> None:
        """Replace a file in one step. Under the lock, so one name serves for what is not finished."""
        with self._writing():
            self._new.unlink(missing_ok=True)
            with os.fdopen(os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o600), "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            self._new.replace(path)
            _sync_folder(path.parent)

    def _remove(self, path: Path) -> None:
        with self._writing():
            path.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StateUnwritableError(
                f"the state file {self.path} cannot be written: {error.strerror or error}",
                hint="free space or change the rights of its folder, or choose another place with --local-state-path",
            ) from error


_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _render(state: CraftingState) -> bytes:
    # surrogatepass: an argument that is not UTF-8 reaches a STRING material as lone surrogates and must come back.
    return json.dumps(to_document(state), indent=2, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _make_private_folder(folder: Path) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut; Windows has no such call for folders."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
