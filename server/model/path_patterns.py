"""Patterns for branches and paths as GitHub and GitLab read them, matched in time that grows with the text alone.

Both come from files that anybody who opens a pull request can write, so they never become regular expressions, which
go back and forth over a hostile text for ever. Sources: GitHub Docs, «Workflow syntax», section «Filter pattern cheat
sheet»; GitLab Docs, «CI/CD YAML syntax reference», `rules:changes` (Ruby's `File.fnmatch` with `FNM_PATHNAME`,
`FNM_DOTMATCH`, `FNM_EXTGLOB`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

MAX_PATTERN = 1024
"""Characters of a pattern; a longer one matches nothing."""
_KEPT = 256
"""Patterns of each forge that are kept ready."""
_MAX_STATES = 256
"""Kept sets of places of one pattern, after which they are made anew."""
MAX_EFFORT = 6_000_000
"""Steps that comparing a change with all patterns of a file may take: a few seconds at the most, while everybody waits.
Three thousand paths and fifty usual patterns take half."""
_MISS = 16
"""Steps for each place of a set that is not kept, in the time that one kept takes."""
_MAKE = 20
"""Steps for each place of a pattern that has to be made ready: of more than are kept, all are for every text."""
_ASK = 4
"""Steps for each pattern and text, whatever they are."""


class TooMuchEffortError(ValueError):
    """Patterns and texts are made so that comparing them takes too long; nothing is known then."""


@dataclass(slots=True)
class Effort:
    """What may still be spent: on one change, whatever there is to compare it with."""

    left: int = MAX_EFFORT

    def spend(self, steps: int) -> None:
        """Take away what something costs.

        Raises:
            TooMuchEffortError: there is not so much left.
        """
        self.left -= steps
        if self.left < 0:
            raise TooMuchEffortError("comparing the patterns with the change takes too long")


@dataclass(frozen=True, slots=True)
class _Part:
    """One place of a pattern: which characters it takes, and how often."""

    characters: frozenset[str] = frozenset()
    inverted: bool = False
    """It takes every other character."""
    repeats: bool = False
    leaps: tuple[int, ...] = ()
    """How far one may go on from here without a character."""

    def takes(self, character: str) -> bool:
        return (character in self.characters) is not self.inverted


_OPTIONAL = (1,)
_ANYTHING = _Part(inverted=True, repeats=True, leaps=_OPTIONAL)
_NO_SLASH = _Part(frozenset("/"), inverted=True, repeats=True, leaps=_OPTIONAL)
_FOLDERS = (_Part(leaps=(1, 3)), _ANYTHING, _Part(frozenset("/")))
"""`**/`: nothing, or whole folders with their slash."""

_Places = frozenset[int]


@dataclass(slots=True)
class _Matcher:
    """Walks all places of a pattern at once."""

    parts: Sequence[_Part]
    _is_new: bool = True
    _steps: dict[tuple[_Places, str], _Places] = field(default_factory=dict)

    def matches(self, text: str, effort: Effort) -> bool:
        """Tell whether the pattern stands for the whole text.

        Raises:
            TooMuchEffortError: that would take too long.
        """
        if self._is_new:
            self._is_new = False
            effort.spend(_MAKE * len(self.parts))
        places = self._closure({0})
        for character in text:
            effort.spend(1)
            places = self._step(places, character, effort)
            if not places:
                return False
        return len(self.parts) in places

    def _step(self, places: _Places, character: str, effort: Effort) -> _Places:
        known = self._steps.get((places, character))
        if known is not None:
            return known
        effort.spend(_MISS * (len(places) + 1))
        if len(self._steps) >= _MAX_STATES:
            self._steps.clear()
        found = self._closure(set(self._next(places, character)))
        self._steps[places, character] = found
        return found

    def _next(self, places: _Places, character: str) -> Iterator[int]:
        for place in places:
            if place < len(self.parts) and self.parts[place].takes(character):
                yield place + 1
                if self.parts[place].repeats:
                    yield place

    def _closure(self, places: set[int]) -> _Places:
        """Add the places that are reached without a character."""
        open_ends = list(places)
        while open_ends:
            place = open_ends.pop()
            leaps = self.parts[place].leaps if place < len(self.parts) else ()
            found = {place + leap for leap in leaps} - places
            places |= found
            open_ends.extend(found)
        return frozenset(places)


def matches_github(pattern: str, text: str, effort: Effort | None = None) -> bool:
    """Tell whether a pattern of a GitHub workflow, without its leading `!`, stands for a branch or path.

    Raises:
        TooMuchEffortError: there is not enough of it.
    """
    if len(pattern) > MAX_PATTERN:
        return False
    effort = effort or Effort()
    effort.spend(_ASK)
    return _github(pattern).matches(text, effort)


def selects_github(patterns: Sequence[str], text: str, effort: Effort | None = None) -> bool:
    """Tell whether a list of patterns takes a branch or path: the last one that matches decides, `!` leaves it out.

    Raises:
        TooMuchEffortError: there is not enough of it.
    """
    taken = False
    effort = effort or Effort()
    for pattern in patterns:
        negative = pattern.startswith("!")
        # Only a pattern that would change the answer has to be looked at.
        if negative is taken and matches_github(pattern[1:] if negative else pattern, text, effort):
            taken = not negative
    return taken


def matches_gitlab(pattern: str, path: str, effort: Effort | None = None) -> bool:
    """Tell whether a pattern of `rules:changes` stands for a path.

    Raises:
        ValueError: its braces stand for too many patterns, or comparing takes too long.
    """
    effort = effort or Effort()
    for one in _expand_braces(pattern.removeprefix("/")):
        effort.spend(_ASK)
        if len(one) <= MAX_PATTERN and _gitlab(one).matches(path, effort):
            return True
    return False


_Add = Callable[[str, int, list[_Part]], int]
"""Adds what a mark of a forge's own stands for, at a place of a pattern; returns where it goes on, 0: there is none."""


def _parts(pattern: str, add_mark: _Add) -> Sequence[_Part]:
    parts: list[_Part] = []
    at = 0
    while at < len(pattern):
        at = add_mark(pattern, at, parts) or _add_plain(pattern, at, parts)
    return tuple(parts)


def _add_plain(pattern: str, at: int, parts: list[_Part]) -> int:
    """Add one character that stands for itself, as every one behind a backslash does."""
    if pattern[at] == "\\" and at + 1 < len(pattern):
        at += 1
    parts.append(_Part(frozenset(pattern[at])))
    return at + 1


def _range_end(pattern: str, at: int) -> int:
    """Return where the brackets end that begin at a place; -1: none do."""
    return pattern.find("]", at + 2) if pattern[at] == "[" else -1


def _stars_end(pattern: str, at: int) -> int:
    while pattern[at : at + 1] == "*":
        at += 1
    return at


def _are_folders(pattern: str, at: int, end: int) -> bool:
    """Tell whether stars stand between two slashes, or the beginning and one."""
    return (at == 0 or pattern[at - 1] == "/") and pattern[end : end + 1] == "/"


@lru_cache(maxsize=_KEPT)
def _github(pattern: str) -> _Matcher:
    return _Matcher(_parts(pattern, _add_of_github))


def _add_of_github(pattern: str, at: int, parts: list[_Part]) -> int:
    character = pattern[at]
    if character == "*":
        return _add_stars_of_github(pattern, at, parts)
    if character in "?+" and parts:
        _quantify(parts, character)
        return at + 1
    end = _range_end(pattern, at)
    if end > 0:
        parts.append(_Part(frozenset(_range(pattern[at + 1 : end]))))
    return end + 1


def _add_stars_of_github(pattern: str, at: int, parts: list[_Part]) -> int:
    end = _stars_end(pattern, at)
    if end - at == 1:
        parts.append(_NO_SLASH)
    elif _are_folders(pattern, at, end):
        parts.extend(_FOLDERS)
        return end + 1
    else:
        parts.append(_ANYTHING)
    return end


def _quantify(parts: list[_Part], quantifier: str) -> None:
    """Make the part before `?` optional, the one before `+` repeat."""
    last = parts[-1]
    leaps = _OPTIONAL if quantifier == "?" else last.leaps
    parts[-1] = _Part(last.characters, last.inverted, last.repeats or quantifier == "+", leaps)


def _range(inside: str) -> Iterator[str]:
    """Return the characters of `[a-z0_]`."""
    at = 0
    while at < len(inside):
        if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside):
            first, last = ord(inside[at]), ord(inside[at + 2])
            # Ranges are of letters and digits; a hostile one may not become a million characters.
            yield from (chr(code) for code in range(first, min(last, first + 255) + 1))
            at += 3
        else:
            yield inside[at]
            at += 1


@lru_cache(maxsize=_KEPT)
def _gitlab(pattern: str) -> _Matcher:
    return _Matcher(_parts(pattern, _add_of_gitlab))


def _add_of_gitlab(pattern: str, at: int, parts: list[_Part]) -> int:
    character = pattern[at]
    if character == "*":
        return _add_stars_of_gitlab(pattern, at, parts)
    if character == "?":
        parts.append(_Part(frozenset("/"), inverted=True))
        return at + 1
    end = _range_end(pattern, at)
    if end > 0:
        inverted = pattern[at + 1] in "^!"
        inside = frozenset(_range(pattern[at + 1 + inverted : end]))
        parts.append(_Part(inside | {"/"} if inverted else inside - {"/"}, inverted))
    return end + 1


def _add_stars_of_gitlab(pattern: str, at: int, parts: list[_Part]) -> int:
    end = _stars_end(pattern, at)
    if end - at == 2 and _are_folders(pattern, at, end):
        parts.extend(_FOLDERS)
        return end + 1
    parts.append(_NO_SLASH)
    return end


_MAX_ALTERNATIVES = 200
_MAX_WITH_BRACES = 8 * MAX_PATTERN


@lru_cache(maxsize=256)
def _expand_braces(pattern: str) -> tuple[str, ...]:
    """Return the patterns that `{a,b}` stands for; the innermost braces first.

    Raises:
        ValueError: more than 200, or they stand in too long a text.
    """
    if len(pattern) > _MAX_WITH_BRACES:
        raise ValueError(f"a pattern has at most {_MAX_WITH_BRACES} characters, this one has {len(pattern)}")
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        one = waiting.pop()
        end = one.find("}")
        start = one.rfind("{", 0, end) if end >= 0 else -1
        if start < 0:
            done.append(one)
            continue
        # Counted before they are made: each is as long as the pattern.
        if len(waiting) + len(done) + one.count(",", start, end) >= _MAX_ALTERNATIVES:
            raise ValueError(f"the braces of a pattern stand for more than {_MAX_ALTERNATIVES} patterns")
        waiting.extend(_alternatives(one, start, end))
    return tuple(done)


def _alternatives(pattern: str, start: int, end: int) -> Iterable[str]:
    inside = pattern[start + 1 : end].split(",")
    return [f"{pattern[:start]}{choice}{pattern[end + 1 :]}" for choice in inside]
