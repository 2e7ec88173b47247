"""What reads container images on this machine, and logins for registries, under the fuzzer."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO
from urllib.parse import urlsplit

from urllib3.util import parse_url

from chainloop_ci.errors import RegistryLoginError
from chainloop_ci.oci.blobs import open_tar
from chainloop_ci.oci.layout import read_layout
from chainloop_ci.oci.login import find_login
from chainloop_ci.oci.place import LAYOUT_FILE
from chainloop_ci.oci.realm import require_realm
from chainloop_ci.oci.resolve import resolve_image

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_REPOSITORY = "registry.test/team/app"


class MadeBlobs:
    """A layout made of parts: the oci-layout file, index.json, then blobs.

    `@2` in a part stands for the digest of part 2 and `#2` for its size, which the fuzzer could not guess.
    """

    def __init__(self, parts: Sequence[bytes]) -> None:
        made = [*parts, b"", b""][: max(len(parts), 2)]
        for at in reversed(range(2, min(len(made), 10))):
            digest = b"sha256:" + hashlib.sha256(made[at]).hexdigest().encode()
            made[:at] = [
                part.replace(b"@%d" % at, digest).replace(b"#%d" % at, b"%d" % len(made[at])) for part in made[:at]
            ]
        self.files = {LAYOUT_FILE: made[0], "index.json": made[1]}
        self.files |= {f"blobs/sha256/{hashlib.sha256(part).hexdigest()}": part for part in made[2:]}

    def open(self, name: str) -> IO[bytes] | None:
        """Return a file to read from its start, None when there is none."""
        return io.BytesIO(self.files[name]) if name in self.files else None


def layout(raw: bytes) -> object:
    """Read a layout whose digests are right."""
    return read_layout(MadeBlobs(raw.split(b"\0")), "image", "")


def archive(raw: bytes) -> object:
    """Read every entry of a tar, and the image in it."""
    with open_tar(io.BytesIO(raw), "image.tar") as blobs:
        for name in blobs.names:
            file = blobs.open(name)
            assert file is not None
            file.read()
        return read_layout(blobs, "image.tar", "")


def image_file(raw: bytes) -> object:
    """Read a file that says itself what it is: an archive, or what buildx wrote."""
    with TemporaryDirectory(prefix="chainloop-fuzz-") as folder:
        (Path(folder) / "image.json").write_bytes(raw)
        return resolve_image("./image.json", env={}, cwd=Path(folder))


def login(raw: bytes) -> object:
    """Look for a login in a file; the credential helpers that it names are not installed."""
    with TemporaryDirectory(prefix="chainloop-fuzz-") as folder:
        (Path(folder) / "config.json").write_bytes(raw)
        notes: list[str] = []
        found = find_login(
            _REPOSITORY, {"DOCKER_CONFIG": folder, "PATH": folder}, None, lambda path: path.open("rb"), notes
        )
        return (found.basic if found else None), notes


def realm(text: str) -> object:
    """Ask for leave to send a login, from a registry of this machine and from another."""
    allowed = []
    for host in ("localhost:5000", "registry.test"):
        with suppress(RegistryLoginError):
            require_realm(host, text, with_login=True)
            allowed.append(host)
    if allowed:  # who is asked is who was judged
        assert str(parse_url(text).host).strip("[]") == urlsplit(text).hostname
    return allowed


def _layout_seed() -> bytes:
    image = {"mediaType": _MANIFEST, "digest": "@3", "size": "#3", "platform": {"os": "linux", "architecture": "arm64"}}
    named = {"org.opencontainers.image.ref.name": "1.2", "io.containerd.image.name": "docker.io/acme/app:1.2"}
    parts = (
        {"imageLayoutVersion": "1.0.0"},
        {"manifests": [{"mediaType": _INDEX, "digest": "@2", "size": "#2", "annotations": named}]},
        {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [image]},
        {"schemaVersion": 2, "config": {"digest": "@4", "size": "#4"}, "layers": [{"digest": "@5", "size": "#5"}]},
        {"os": "linux"},
    )
    rendered = [json.dumps(part).replace('"#', "#") for part in parts]
    for number in range(2, 6):
        rendered = [part.replace(f'#{number}"', f"#{number}") for part in rendered]
    return b"\0".join([*(part.encode() for part in rendered), b"layer"])


LAYOUT_SEEDS = (_layout_seed(),)


def _archive_seed() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in MadeBlobs(LAYOUT_SEEDS[0].split(b"\0")).files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE_SEEDS = (_archive_seed(),)
METADATA_SEEDS = (
    json.dumps({"containerimage.digest": "sha256:" + "a" * 64, "image.name": "ghcr.io/acme/app:1.2"}).encode(),
    json.dumps({"app": {"containerimage.digest": "sha256:" + "a" * 64, "image.name": "acme/app,acme/app:1"}}).encode(),
)
LOGIN_SEEDS = (
    b'{"auths":{"registry.test":{"auth":"Y2k6czNjcmV0"}}}',
    b'{"auths":{"https://registry.test/v2/":{"identitytoken":"t"}},"credsStore":"pass"}',
    b'{"credHelpers":{"registry.test/team":"ecr"},"auths":{"registry.test/team":{"username":"a","password":"b"}}}',
)
REALM_SEEDS = (b"https://auth.registry.test/token", b"http://localhost:5001/token", b"https://[::1]:443/token")
WORDS = (
    "@2",
    "@3",
    "#2",
    "\0",
    "digest",
    "size",
    "sha512:",
    "annotations",
    "manifests",
    "layers",
    "urls",
    "null",
    "{}",
)
