"""The files that a repository's own file may name: those of the workspace (R22)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from chainloop_ci.errors import PathRefusedError
from chainloop_ci.workspace.globs import GIT_FOLDER, Search, is_pattern
from chainloop_ci.workspace.paths import open_material, resolve_inside

if TYPE_CHECKING:
    from chainloop_ci.attestation.state import ImageReference
    from chainloop_ci.crafting.ports import RegistryCredentials
    from chainloop_ci.workspace.globs import Matches


class WorkspaceFiles:
    """Files and images as `.chainloop.yml` may name them: paths are taken from its folder and stay inside.

    A pull request controls that file: what a person may type, it may not name.
    """

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._env = env
        self._search = Search()

    def open_file(self, path: str) -> BinaryIO:
        """Open an ordinary file of the workspace.

        Raises:
            FileUnreadableError: missing, a folder, or not readable.
            PathRefusedError: it leads out of the workspace, or to git's own files, where a checkout may keep a token.
        """
        inside = resolve_inside(self._folder, path).relative_to(self._folder.resolve())
        if GIT_FOLDER in inside.parts:
            raise PathRefusedError(
                f"{path} is a file of git's own, which .chainloop.yml may not name",
                hint="attest what the build made; the commit is recorded by itself",
            )
        return open_material(path, root=self._folder)

    def file_exists(self, path: str) -> bool:
        """Tell whether `path` names something in the workspace; a literal may be too long to be a path."""
        found = self._find(path)
        return found is not None and found.exists()

    def is_file(self, path: str) -> bool:
        """Tell whether `path` names an ordinary file of the workspace."""
        found = self._find(path)
        return found is not None and found.is_file()

    def is_pattern(self, value: str) -> bool:
        """Tell whether a value has a wildcard in it."""
        return is_pattern(value)

    def find(self, pattern: str) -> Matches:
        """Return the files of the workspace that a pattern matches.

        Raises:
            PathRefusedError: it leads out of the workspace.
            LimitExceededError: there is too much to look at.
        """
        return self._search.find(pattern, self._folder, root=self._folder)

    def suggest(self, pattern: str) -> tuple[str, ...]:
        """Return files of the workspace that a pattern which matches none looks like."""
        return self._search.suggest(pattern, self._folder)

    def locate(self, path: str) -> str:
        """Return the real path of a file of the workspace.

        Raises:
            PathRefusedError: it leads out of the workspace.
        """
        return str(resolve_inside(self._folder, path))

    def resolve(self, value: str, credentials: RegistryCredentials | None) -> ImageReference:
        """Return an image with its digest: from its registry, or from a layout in the workspace.

        The login is the machine's, as for an image that a person typed: which files may hold one is said by the
        environment, and never by `.chainloop.yml`. Each login goes to its own registry alone (T34).
        """
        from chainloop_ci.oci.resolve import resolve_image

        return resolve_image(
            value,
            env=self._env,
            credentials=credentials,
            cwd=self._folder,
            open_file=lambda path: open_material(path, root=self._folder),
            open_login=open_material,
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
