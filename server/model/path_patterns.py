"""Patterns for branches and paths as GitHub and GitLab read them, matched in time that grows with the text alone.

Both come from files that anybody who opens a pull request can write, so they never become regular expressions, which
go back and forth over a hostile text for ever. Sources: GitHub Docs, «Workflow syntax», section «Filter pattern cheat
sheet»; GitLab Docs, «CI/CD YAML syntax reference», `rules:changes` (Ruby's `File.fnmatch` with `FNM_PATHNAME`,
`FNM_DOTMATCH`, `FNM_EXTGLOB`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

MAX_PATTERN = 1024
"""Characters of a pattern; a longer one matches nothing."""
MAX_WORK = 10_000_000
"""How much is matched in one judgement, in characters of texts times places of patterns that repeat: some seconds."""
_KEPT = 256
"""Patterns of each forge that are kept ready."""
_MAKING = 20
"""How much more it takes to make a place of a pattern than to be in it for a character."""
_MAX_STATES = 256
"""Kept sets of places of one pattern, after which they are made anew."""


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
    _steps: dict[tuple[_Places, str], _Places] = field(default_factory=dict)

    def matches(self, text: str) -> bool:
        """Tell whether the pattern stands for the whole text."""
        places = self._closure({0})
        for character in text:
            places = self._step(places, character)
            if not places:
                return False
        return len(self.parts) in places

    def _step(self, places: _Places, character: str) -> _Places:
        known = self._steps.get((places, character))
        if known is not None:
            return known
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


def is_too_much(patterns: Sequence[str], texts: Sequence[str]) -> bool:
    """Tell whether it would take too long to match these: both come from strangers, and others wait meanwhile."""
    # More than are kept ready are made anew for every text.
    making = _MAKING * sum(map(len, patterns)) * len(texts) if len(patterns) > _KEPT else 0
    return making + sum(map(_weigh, patterns)) * sum(map(len, texts)) > MAX_WORK


def _weigh(pattern: str) -> int:
    repeats = 1 + pattern.count("*") + pattern.count("+")
    # A pattern of GitLab's is each of its alternatives.
    return repeats * min(_MAX_ALTERNATIVES, 1 + pattern.count(",")) if "{" in pattern else repeats


def matches_github(pattern: str, text: str) -> bool:
    """Tell whether a pattern of a GitHub workflow, without its leading `!`, stands for a branch or path."""
    return len(pattern) <= MAX_PATTERN and _github(pattern).matches(text)


def selects_github(patterns: Sequence[str], text: str) -> bool:
    """Tell whether a list of patterns takes a branch or path: the last one that matches decides, `!` leaves it out."""
    taken = False
    for pattern in patterns:
        negative = pattern.startswith("!")
        # Only a pattern that would change the answer has to be looked at.
        if negative is taken and matches_github(pattern[1:] if negative else pattern, text):
            taken = not negative
    return taken


def matches_gitlab(pattern: str, path: str) -> bool:
    """Tell whether a pattern of `rules:changes` stands for a path.

    Raises:
        ValueError: its braces stand for too many patterns, or it is too long to be expanded.
    """
    if "{" in pattern and len(pattern) > MAX_PATTERN:
        raise ValueError(f"a pattern with braces has more than {MAX_PATTERN} characters")
    return any(
        len(one) <= MAX_PATTERN and _gitlab(one).matches(path) for one in _expand_braces(pattern.removeprefix("/"))
    )


@lru_cache(maxsize=_KEPT)
def _github(pattern: str) -> _Matcher:
    return _Matcher(tuple(_github_parts(pattern)))


def _github_parts(pattern: str) -> list[_Part]:
    parts: list[_Part] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "*":
            at = _add_stars(pattern, at, parts)
            continue
        if character in "?+" and parts:
            _quantify(parts, character)
        elif character == "[" and (end := pattern.find("]", at + 2)) > 0:
            parts.append(_Part(frozenset(_range(pattern[at + 1 : end]))))
            at = end
        elif character == "\\" and at + 1 < len(pattern):
            at += 1
            parts.append(_Part(frozenset(pattern[at])))
        else:
            parts.append(_Part(frozenset(character)))
        at += 1
    return parts


def _add_stars(pattern: str, at: int, parts: list[_Part]) -> int:
    """Add the stars at `at`; return where the pattern goes on."""
    end = at
    while pattern[end : end + 1] == "*":
        end += 1
    begins_folder = at == 0 or pattern[at - 1] == "/"
    if end - at == 1:
        parts.append(_NO_SLASH)
    elif begins_folder and pattern[end : end + 1] == "/":
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
    return _Matcher(tuple(_gitlab_parts(pattern)))


def _gitlab_parts(pattern: str) -> list[_Part]:
    parts: list[_Part] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "*":
            end = at
            while pattern[end : end + 1] == "*":
                end += 1
            folders = end - at == 2 and pattern[end : end + 1] == "/" and (at == 0 or pattern[at - 1] == "/")
            parts.extend(_FOLDERS if folders else (_NO_SLASH,))
            at = end + 1 if folders else end
            continue
        if character == "?":
            parts.append(_Part(frozenset("/"), inverted=True))
        elif character == "[" and (end := pattern.find("]", at + 2)) > 0:
            inverted = pattern[at + 1] in "^!"
            inside = frozenset(_range(pattern[at + 1 + inverted : end]))
            parts.append(_Part(inside | {"/"} if inverted else inside - {"/"}, inverted))
            at = end
        elif character == "\\" and at + 1 < len(pattern):
            at += 1
            parts.append(_Part(frozenset(pattern[at])))
        else:
            parts.append(_Part(frozenset(character)))
        at += 1
    return parts


_MAX_ALTERNATIVES = 200


def _expand_braces(pattern: str) -> tuple[str, ...]:
    """Return the patterns that `{a,b}` stands for; the innermost braces first.

    Raises:
        ValueError: more than 200.
    """
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        if len(waiting) + len(done) > _MAX_ALTERNATIVES:
            raise ValueError(f"the braces of a pattern stand for more than {_MAX_ALTERNATIVES} patterns")
        one = waiting.pop()
        end = one.find("}")
        start = one.rfind("{", 0, end) if end >= 0 else -1
        if start < 0:
            done.append(one)
        else:
            waiting.extend(_alternatives(one, start, end))
    return tuple(done)


def _alternatives(pattern: str, start: int, end: int) -> Iterable[str]:
    inside = pattern[start + 1 : end].split(",")
    return [f"{pattern[:start]}{choice}{pattern[end + 1 :]}" for choice in inside]
