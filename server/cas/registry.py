"""Registry 3: the CAS back ends, one visible tuple. The first one is what a new organization gets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from server.cas.blobs import BackEnd, Blobs
from server.cas.filesystem import FILESYSTEM
from server.cas.inline import INLINE

BACK_ENDS: tuple[BackEnd, ...] = (FILESYSTEM, INLINE)


def open_back_ends(folder: Path) -> Mapping[str, Blobs]:
    """Open every back end that has a store of its own, each in its part of the server's data folder."""
    return {entry.name: entry.open(folder) for entry in BACK_ENDS if entry.open}


def look_into_back_ends(folder: Path) -> Mapping[str, Blobs]:
    """Open every back end that has a store of its own as it is: nothing is made and nothing swept."""
    return {entry.name: entry.look(folder) for entry in BACK_ENDS if entry.look}
