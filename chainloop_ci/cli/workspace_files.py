"""The files that a repository's own file may name: those of the workspace (R22)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from chainloop_ci.errors import PathRefusedError
from chainloop_ci.workspace.paths import open_material, resolve_inside

if TYPE_CHECKING:
    from chainloop_ci.attestation.state import ImageReference
    from chainloop_ci.crafting.ports import RegistryCredentials


class WorkspaceFiles:
    """Files and images as `.chainloop.yml` may name them: paths are taken from its folder and stay inside.

    A pull request controls that file: what a person may type, it may not name.
    """

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._env = env

    def open_file(self, path: str) -> BinaryIO:
        """Open an ordinary file of the workspace.

        Raises:
            FileUnreadableError: missing, a folder, or not readable.
            PathRefusedError: it leads out of the workspace.
        """
        return open_material(path, root=self._folder)

    def file_exists(self, path: str) -> bool:
        """Tell whether `path` names something in the workspace; a literal may be too long to be a path."""
        found = self._find(path)
        return found is not None and found.exists()

    def is_file(self, path: str) -> bool:
        """Tell whether `path` names an ordinary file of the workspace."""
        found = self._find(path)
        return found is not None and found.is_file()

    def resolve(self, value: str, credentials: RegistryCredentials | None) -> ImageReference:
        """Return an image with its digest: from its registry, or from a layout in the workspace."""
        from chainloop_ci.oci.resolve import resolve_image

        return resolve_image(
            value,
            env=self._env,
            credentials=credentials,
            cwd=self._folder,
            open_file=lambda path: open_material(path, root=self._folder),
        )

    def is_layout(self, value: str) -> bool:
        """Tell whether a value is the folder of an OCI layout in the workspace."""
        from chainloop_ci.oci.place import is_layout

        return self._find(value) is not None and is_layout(value, self._folder)

    def _find(self, path: str) -> Path | None:
        try:
            return resolve_inside(self._folder, path)
        except (PathRefusedError, OSError, ValueError):
            return None
