"""What a file's name says of the material that it may be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from chainloop_ci.deferred import deferred_pattern

_NOT_OF_A_NAME = deferred_pattern("[^a-z0-9]+", re.ASCII)
_LIKENESS = 0.4


def names_of(path: str) -> tuple[str, ...]:
    """Return the names that a contract may have for a file, with fewer and fewer of its endings.

    `out/sbom.cdx.json` may be `sbom-cdx-json`, `sbom-cdx` or `sbom`: names have lower-case letters, digits and hyphens.
    """
    parts = path.replace("\\", "/").rstrip("/").rpartition("/")[2].split(".")
    stems = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    folded = (_NOT_OF_A_NAME.sub("-", stem.lower()).strip("-") for stem in stems)
    return tuple(dict.fromkeys(name for name in folded if name))


def find_near(path: str, names: Iterable[str]) -> str:
    """Return the name that looks most like the file's, empty when none does."""
    from difflib import get_close_matches

    known: Mapping[str, None] = dict.fromkeys(names)
    for candidate in names_of(path):
        if near := get_close_matches(candidate, known, n=1, cutoff=_LIKENESS):
            return near[0]
    return ""


def is_text(name: str) -> bool:
    """Tell whether a file's name is UTF-8: other bytes can stand in no document and no archive."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
