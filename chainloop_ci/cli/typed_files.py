"""The files and images that a person may name on the command line: anywhere on this machine (R22)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from chainloop_ci.attestation.state import ImageReference
    from chainloop_ci.crafting.ports import RegistryCredentials
    from chainloop_ci.workspace.globs import Matches, Search


class TypedFiles:
    """Files and images as they are typed: relative paths are taken from the current folder."""

    cwd: Path
    env: Mapping[str, str]

    def open_file(self, path: str) -> BinaryIO:
        """Open a file that a person typed (R22)."""
        from chainloop_ci.workspace.paths import open_material

        return open_material(self.cwd / path)

    def file_exists(self, path: str) -> bool:
        """Tell whether `path` names something on this machine; a literal may be too long to be a path."""
        try:
            return (self.cwd / path).exists()
        except (OSError, ValueError):
            return False

    def is_file(self, path: str) -> bool:
        """Tell whether `path` names an ordinary file on this machine."""
        try:
            return (self.cwd / path).is_file()
        except (OSError, ValueError):
            return False

    def is_pattern(self, value: str) -> bool:
        """Tell whether a value has a wildcard in it."""
        from chainloop_ci.workspace.globs import is_pattern

        return is_pattern(value)

    @cached_property
    def _search(self) -> Search:
        from chainloop_ci.workspace.globs import Search

        return Search()

    def find(self, pattern: str) -> Matches:
        """Return the files that a pattern which a person typed matches (R22)."""
        return self._search.find(pattern, self.cwd)

    def suggest(self, pattern: str) -> tuple[str, ...]:
        """Return files of the current folder that a pattern which matches none looks like."""
        return self._search.suggest(pattern, self.cwd)

    def locate(self, path: str) -> str:
        """Return the real path of a file that a person typed (R22)."""
        from chainloop_ci.workspace.paths import resolve_typed

        return str(resolve_typed(self.cwd / path, path))

    def resolve(self, value: str, credentials: RegistryCredentials | None) -> ImageReference:
        """Return an image with its digest: from its registry, or from what lies on this machine."""
        from chainloop_ci.oci.resolve import resolve_image
        from chainloop_ci.workspace.paths import open_material

        return resolve_image(value, env=self.env, credentials=credentials, cwd=self.cwd, open_file=open_material)

    def is_layout(self, value: str) -> bool:
        """Tell whether a value is the folder of an OCI layout."""
        from chainloop_ci.oci.place import is_layout

        return is_layout(value, self.cwd)
