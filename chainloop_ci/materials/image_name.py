"""Names of container images, as they are written and in full.

Source of the rules: the image reference grammar of distribution/reference, default registry and `library/` as in
reference section 3.4; how a value is told from a plain text: reference section 15, "Auto-detect".
"""

from __future__ import annotations

import re

from chainloop_ci.deferred import deferred_pattern
from chainloop_ci.records import record

_DEFAULT_REGISTRY = "index.docker.io"
_DEFAULT_REGISTRY_NAMES = ("", "docker.io", "registry-1.docker.io", _DEFAULT_REGISTRY)

_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_HOST = deferred_pattern(rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?")
_PATH = deferred_pattern(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = deferred_pattern("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = deferred_pattern("sha256:[0-9a-f]{64}")
_MAX_LENGTH = 512


@record
class ImageName:
    """The parts of an image name; empty where nothing was written."""

    host: str
    path: str
    tag: str
    digest: str


def parse_image_name(value: str) -> ImageName | None:
    """Return the parts of an image name, None when `value` is none."""
    if len(value) > _MAX_LENGTH:
        return None
    name, _, digest = value.partition("@")
    host, slash, rest = name.partition("/")
    # "org/app" has no registry: a host is known by its dot, its port, or by being this machine.
    if not slash or not (host == "localhost" or "." in host or ":" in host):
        host, rest = "", name
    path, _, tag = rest.partition(":")
    parts = ((_HOST, host), (_TAG, tag), (_DIGEST, digest))
    complete = not value.endswith((":", "@")) and _PATH.fullmatch(path) is not None
    fits = all(not text or pattern.fullmatch(text) for pattern, text in parts)
    return ImageName(host, path, tag, digest) if complete and fits else None


def looks_like_image(value: str) -> bool:
    """Tell whether a value without a type is worth a question to a registry.

    It is when it names a registry (`ghcr.io/org/app`), a tag (`nginx:1.27`) or a digest. A single word, a version, a
    time of day, a branch (`feature/login`) or a path is not: those stay plain texts without any look-up.
    """
    name = parse_image_name(value)
    if name is None or not re.search("[a-z]", name.path):
        return False
    return bool(name.host or name.tag or name.digest)


def canonical_repository(value: str) -> str:
    """Return an image's full repository without tag and digest: of `nginx:1`, `index.docker.io/library/nginx`.

    What is no image name comes back as it is.
    """
    name = parse_image_name(value)
    if name is None:
        return value
    if name.host not in _DEFAULT_REGISTRY_NAMES:
        return f"{name.host}/{name.path}"
    return f"{_DEFAULT_REGISTRY}/{name.path if '/' in name.path else f'library/{name.path}'}"
