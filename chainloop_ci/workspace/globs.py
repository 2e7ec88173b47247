"""Files by pattern: what a glob in `.chainloop.yml`, or behind `--material NAME=`, means (R22).

`*`, `?` and `[…]` match within one name, `**` stands for any number of folders, none included. A name that begins with
a dot is matched only by a part that begins with one, upper and lower case differ on every system, and `.git` is never
looked into: a checkout keeps its credentials there. Links to folders are followed only where they are written out,
before the first wildcard, so a search ends, and stays in the folder that was checked. Links to files are matched;
`open_material` refuses those that lead out.
"""

from __future__ import annotations

import fnmatch
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from chainloop_ci.errors import LimitExceededError, PathRefusedError, UsageError
from chainloop_ci.records import record
from chainloop_ci.workspace.paths import SYSTEM_FOLDERS, resolve_inside, resolve_typed

MAX_ENTRIES = 200_000
"""Most names that the searches of one command look at, all of them together."""
MAX_SECONDS = 20.0
"""Longest time that they take together."""
MAX_PATTERN = 1024
"""Longest pattern, in characters."""

_SUGGESTED = 3
_SUGGESTION_ENTRIES = 5_000
_SUGGESTION_SECONDS = 2.0
_LIKENESS = 0.5
GIT_FOLDER = ".git"
"""Never looked into: `config` in it may hold the token that the checkout was made with."""
_ANY_FOLDERS = "**"
_CLOCK_EVERY = 256


def is_pattern(value: str) -> bool:
    """Tell whether a value has a wildcard in it."""
    return any(character in value for character in "*?[")


@record
class Matches:
    """What a pattern matches."""

    paths: tuple[str, ...]
    """In the order of their characters, written like the pattern: from the same folder, or absolute. No folders."""
    base: str
    """How each path begins: the pattern up to its first wildcard, empty or ending in `/`."""
    folder: str
    """For people: where the pattern was taken from."""
    unlisted: tuple[str, ...] = ()
    """Folders whose content this user may not see."""


class Search:
    """Finds files under limits that hold for all of its searches together."""

    def __init__(
        self,
        *,
        max_entries: int = MAX_ENTRIES,
        max_seconds: float = MAX_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_entries, self._max_seconds, self._clock = max_entries, max_seconds, clock
        self._entries, self._deadline = 0, 0.0

    def find(self, pattern: str, folder: Path, *, root: Path | None = None) -> Matches:
        """Return the files that `pattern` matches, taken from `folder`; without a wildcard the file of that name.

        `root` is the workspace of a pattern that a file names; None for a pattern that a person typed.

        Raises:
            PathRefusedError: it leads out of `root`, into a system folder or into `.git`.
            UsageError: it is no pattern.
            LimitExceededError: there is too much to look at.
        """
        written = _Pattern(pattern)
        start = written.start(folder, root)
        if not written.wild:
            return Matches((pattern,) if os.path.exists(start) else (), written.base, str(folder))  # noqa: PTH110
        unlisted: list[str] = []
        try:
            found = self._walk(str(start), _Parts(written.wild), unlisted)
            paths = tuple(written.base + path for path in sorted(found))
        except _ExhaustedError as error:
            raise LimitExceededError(
                f"the search for {pattern} in {folder} was stopped: {error}",
                hint="write the folder that the files are in before the first wildcard",
            ) from error
        return Matches(paths, written.base, str(folder), tuple(sorted(unlisted)))

    def suggest(self, pattern: str, folder: Path) -> tuple[str, ...]:
        """Return the files whose paths look most like a pattern that matches none, the most alike first."""
        written = _Pattern(pattern)
        if written.anchor or ".." in written.fixed:
            return ()
        names: list[str] = []
        brief = Search(max_entries=_SUGGESTION_ENTRIES, max_seconds=_SUGGESTION_SECONDS, clock=self._clock)
        try:
            for name in brief._walk(str(folder), _Parts((_ANY_FOLDERS, "*")), []):
                names.append(name)
        except _ExhaustedError:
            pass  # what was seen until then is near enough
        return _most_alike(pattern, names)

    def _walk(self, start: str, parts: _Parts, unlisted: list[str]) -> Iterator[str]:
        """Yield the paths below `start`; the nearest first."""
        waiting = deque([(start, "", parts.begin())])
        while waiting:
            real, shown, states = waiting.popleft()
            for entry in self._list(real, unlisted):
                if entry.name == GIT_FOLDER:
                    continue
                after = parts.advance(states, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    inner = f"{real.rstrip('/')}/{entry.name}"
                    if parts.goes_on(after) and inner not in SYSTEM_FOLDERS:
                        waiting.append((inner, f"{shown}{entry.name}/", after))
                elif parts.ends(after) and not entry.is_dir():
                    yield shown + entry.name

    def _list(self, folder: str, unlisted: list[str]) -> Iterator[os.DirEntry[str]]:
        self._count()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._count()
                    yield entry
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError:
            unlisted.append(folder)

    def _count(self) -> None:
        if self._deadline == 0.0:
            self._deadline = self._clock() + self._max_seconds
        self._entries += 1
        if self._entries > self._max_entries:
            raise _ExhaustedError(f"it has looked at {self._max_entries} names")
        if self._entries % _CLOCK_EVERY == 0 and self._clock() > self._deadline:
            raise _ExhaustedError(f"it has taken {self._max_seconds:g} s")


class _ExhaustedError(Exception):
    """A limit is reached."""


class _Pattern:
    """A pattern taken apart: what is written out, and what has wildcards."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_PATTERN:
            raise UsageError(f"a path or pattern has at most {MAX_PATTERN} characters, found {len(text)}")
        self.text = text
        slashed = text.replace("\\", "/") if os.sep == "\\" else text
        self.anchor = PurePath(slashed).anchor.replace("\\", "/")
        parts = [part for part in slashed[len(self.anchor) :].split("/") if part not in ("", ".")]
        first = next((at for at, part in enumerate(parts) if is_pattern(part)), len(parts))
        self.fixed, self.wild = tuple(parts[:first]), tuple(parts[first:])
        self.base = self.anchor + "".join(f"{part}/" for part in self.fixed)

    def start(self, folder: Path, root: Path | None) -> Path:
        """Return the real folder to begin in, or the file itself; it need not exist."""
        if ".." in self.wild:
            raise PathRefusedError(
                f"{self.text}: `..` stands behind a wildcard", hint="write the folder out, from its beginning"
            )
        if self.wild and GIT_FOLDER in (*self.fixed, *self.wild):
            raise PathRefusedError(f"{self.text}: nothing is searched in {GIT_FOLDER}", hint="name the file itself")
        path = folder / self.base if self.wild else folder / self.text
        if root is None:
            return resolve_typed(path, self.text)
        return resolve_inside(root, path, self.text)


class _Parts:
    """The parts with wildcards, as an automaton: each state is the number of parts that are matched."""

    def __init__(self, wild: Sequence[str]) -> None:
        once = tuple(part for at, part in enumerate(wild) if at == 0 or not part == wild[at - 1] == _ANY_FOLDERS)
        self._parts = (*once, "*") if once[-1] == _ANY_FOLDERS else once
        self._patterns = tuple(None if part == _ANY_FOLDERS else _compile(part) for part in self._parts)

    def begin(self) -> frozenset[int]:
        return self._with_none((0,))

    def advance(self, states: frozenset[int], name: str) -> frozenset[int]:
        """Return the states behind `name`."""
        return self._with_none(after for state in states if (after := self._after(state, name)) is not None)

    def ends(self, states: frozenset[int]) -> bool:
        return len(self._parts) in states

    def goes_on(self, states: frozenset[int]) -> bool:
        return any(state < len(self._parts) for state in states)

    def _after(self, state: int, name: str) -> int | None:
        if state == len(self._parts):
            return None
        part, pattern = self._parts[state], self._patterns[state]
        if name.startswith(".") and not part.startswith("."):
            return None
        if pattern is None:
            return state
        return state + 1 if pattern.match(name) else None

    def _with_none(self, states: Iterable[int]) -> frozenset[int]:
        """Return the states, and those behind a `**` that stands for no folder."""
        known = frozenset(states)
        size = len(self._parts)
        return known | {state + 1 for state in known if state < size and self._patterns[state] is None}


def _compile(part: str) -> re.Pattern[str]:
    try:
        return re.compile(fnmatch.translate(part))
    except re.error as error:
        raise UsageError(f"{part!r} is no pattern: {error}", hint="put a [ that is meant as itself into [[]") from error


def _most_alike(pattern: str, names: Sequence[str]) -> tuple[str, ...]:
    from difflib import SequenceMatcher

    last = _compile(pattern.rpartition("/")[2] or "*")
    matcher = SequenceMatcher(b=pattern, autojunk=False)  # what is b is looked at once
    rated: list[tuple[bool, float, str]] = []
    for name in names:
        matcher.set_seq1(name)
        is_named_so = last.match(name.rpartition("/")[2]) is not None
        if is_named_so or (matcher.quick_ratio() >= _LIKENESS and matcher.ratio() >= _LIKENESS):
            rated.append((not is_named_so, -matcher.ratio(), name))
    return tuple(name for _, _, name in sorted(rated)[:_SUGGESTED])
