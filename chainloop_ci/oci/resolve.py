"""The image that a value names: in a registry, in an OCI layout on disk, or in what a build wrote about it.

Sources: reference section 3.4; for each kind of value the module that reads it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from chainloop_ci import errors
from chainloop_ci.attestation.state import ImageReference
from chainloop_ci.digests import parse_digest
from chainloop_ci.materials.image_name import canonical_repository, parse_image_name
from chainloop_ci.oci.blobs import FolderBlobs, open_tar
from chainloop_ci.oci.buildx import find_builds, read_metadata
from chainloop_ci.oci.layout import read_layout
from chainloop_ci.oci.login import Credentials, OpenFile, find_login
from chainloop_ci.oci.place import LAYOUT_FILE, is_file, is_folder, is_layout, split_digest
from chainloop_ci.oci.registry import PUSH_FIRST, Registry

MAX_METADATA_BYTES = 16 * 1024 * 1024
"""Buildx writes the whole provenance into its metadata file."""
_TAR_MAGIC = (257, b"ustar")
_GZIP = b"\x1f\x8b"
_HEAD_BYTES = 512
_FILE_ENDINGS = (".tar", ".tgz", ".tar.gz", ".json")
_PATH_STARTS = ("/", "./", "../", "~/", ".\\", "..\\")
_EXAMPLES = (
    "write it as [registry/]name[:tag] or [registry/]name@sha256:<digest> with a name in lower case, or give the path "
    "of an OCI layout (folder or tar) or of the file that buildx wrote with --metadata-file"
)


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def resolve_image(
    value: str,
    *,
    env: Mapping[str, str],
    credentials: Credentials | None = None,
    pause: Callable[[float], None] = time.sleep,
    cwd: Path = Path(),
    open_file: OpenFile = _open,
    open_login: OpenFile | None = None,
) -> ImageReference:
    """Return the image that `value` names, with its digest.

    What lies on this machine and is an image's layout, archive or metadata file is that; anything else is a reference.
    A reference with a digest is taken as it is, without any network; its tag is then the word of whoever wrote it.
    Without `credentials` those of podman's and docker's configuration are looked for. `open_login` opens those files,
    which are the machine's whoever names the image; without it `open_file` does.

    Raises:
        MaterialRejectedError: certainly no image: no image's name, or a file of another kind.
        ImageUnresolvedError: its registry does not know it, there is no such path, or a layout is not what it says.
        RegistryLoginError: the registry refused what was tried.
        UnreachableError: the registry gave no answer.
        FileUnreadableError, PathRefusedError: a file cannot be read (R22).
    """
    found = _find_local(value, cwd, open_file)
    return found if found is not None else _ask_registry(value, env, credentials, pause, open_login or open_file)


def _ask_registry(
    value: str,
    env: Mapping[str, str],
    credentials: Credentials | None,
    pause: Callable[[float], None],
    open_login: OpenFile,
) -> ImageReference:
    parts = parse_image_name(value)
    if parts is None:
        raise errors.MaterialRejectedError(
            f"expected a container image like ghcr.io/org/app:1.2, found {value[:120]!r}", hint=_EXAMPLES
        )
    name, tag = canonical_repository(value), parts.tag
    if parts.digest:
        return ImageReference(name, parse_digest(parts.digest), tag, has_latest_tag=tag == "latest")
    tag = tag or "latest"
    notes: list[str] = []
    login = find_login(name, env, credentials, open_login, notes)
    tried = "; ".join([*notes, f"user {login.username} from {login.origin}" if login else "no login"])
    registry = Registry(name, login, tried, pause, env)
    digest = registry.digest_of(tag)
    return ImageReference(name, digest, tag, has_latest_tag=tag == "latest" or registry.find_digest("latest") == digest)


# --- on this machine -------------------------------------------------------------------------------------------------


def _find_local(value: str, cwd: Path, open_file: OpenFile) -> ImageReference | None:
    place, digest = split_digest(value)
    path = cwd / place
    if is_layout(place, cwd):
        return read_layout(FolderBlobs(path, open_file), place, digest)
    if is_file(path):
        found = _from_file(path, place, digest, open_file)
        if found is not None:
            return found
    elif not place.startswith(_PATH_STARTS) and not place.endswith(_FILE_ENDINGS):
        return None
    # A tool called `app` in this folder does not stand in the way of an image of that name; a path is never a name.
    if parse_image_name(value) and not place.startswith(_PATH_STARTS) and not place.endswith(_FILE_ENDINGS):
        return None
    raise _no_image(place, cwd)


def _no_image(place: str, cwd: Path) -> errors.ChainloopError:
    """Return why a path names no image."""
    if is_file(cwd / place) or is_folder(cwd / place):
        what = "is neither an OCI layout, an archive of one, nor a file of buildx"
        return errors.MaterialRejectedError(f"{place[:200]} {what}", hint=f"{_EXAMPLES}; {PUSH_FIRST}")
    folder, _, tag = place.rpartition(":")
    if folder and "/" not in tag and is_layout(folder, cwd):
        return errors.ImageUnresolvedError(
            f"{place[:200]} does not exist; {folder[:200]} is an OCI layout",
            hint=f"an image of a layout is named by its digest, not by a tag: {folder}@sha256:<digest>, "
            f"or {folder} alone when it holds only one",
        )
    return errors.ImageUnresolvedError(f"{place[:200]} does not exist", hint=f"{_EXAMPLES}; {PUSH_FIRST}")


def _from_file(path: Path, place: str, digest: str, open_file: OpenFile) -> ImageReference | None:
    """Read a file by what it is; None when it is nothing of an image."""
    with closing(open_file(path)) as file:
        head = file.read(_HEAD_BYTES)
        file.seek(0)
        offset, magic = _TAR_MAGIC
        if head[offset:].startswith(magic):
            return _from_tar(file, place, digest)
        if head.startswith(_GZIP) and place.endswith((".tgz", ".gz")):
            raise errors.ImageUnresolvedError(
                f"{place} is compressed: an image's archive is read as a plain tar", hint=f"gunzip -k {place}"
            )
        if not head.lstrip().startswith(b"{"):
            return None
        raw = file.read(MAX_METADATA_BYTES + 1)
    try:
        builds = find_builds(json.loads(raw)) if len(raw) <= MAX_METADATA_BYTES else {}
    except (ValueError, RecursionError):
        return None
    return read_metadata(builds, place, digest) if builds else None


def _from_tar(file: BinaryIO, place: str, digest: str) -> ImageReference | None:
    with open_tar(file, place) as blobs:
        if LAYOUT_FILE in blobs.names:
            return read_layout(blobs, place, digest)
        if "manifest.json" not in blobs.names:
            return None
    raise errors.ImageUnresolvedError(
        f"{place} is an archive of `docker save` in its old form: it holds no manifest, so the image has no digest "
        "that a registry would know",
        hint="build with `--output type=oci,dest=image.tar`, or turn it into a layout: "
        f"skopeo copy docker-archive:{place} oci:image",
    )
