"""OCI layouts of a test's own making, whole or broken."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"


class Layout:
    """A layout that grows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = folder / "blobs" / "sha256"
        self.blobs.mkdir(parents=True)
        self.entries: list[dict[str, Any]] = []
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, raw: bytes, media_type: str) -> dict[str, Any]:
        """Write a blob and return its descriptor."""
        digest = hashlib.sha256(raw).hexdigest()
        (self.blobs / digest).write_bytes(raw)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(raw)}

    def manifest(self, content: bytes = b"layer", **layer: Any) -> dict[str, Any]:
        """Write an image of one layer and return its descriptor."""
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob(b'{"os": "linux"}', CONFIG),
            "layers": [{**self.blob(content, LAYER), **layer}],
        }
        return self.blob(json.dumps(document).encode(), MANIFEST)

    def index(self, *children: dict[str, Any]) -> dict[str, Any]:
        """Write an index of images and return its descriptor."""
        return self.blob(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).encode(), INDEX)

    def add(self, descriptor: dict[str, Any], **annotations: str) -> str:
        """Put an image into index.json and return its digest."""
        names = {"ref": "org.opencontainers.image.ref.name", "base": "org.opencontainers.image.base.name",
                 "full": "io.containerd.image.name"}  # fmt: skip
        entry = {**descriptor, "annotations": {names[key]: value for key, value in annotations.items()}}
        self.entries.append(entry)
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.entries}))
        return str(descriptor["digest"])

    def path(self, digest: str) -> Path:
        """Return where a blob lies."""
        return self.blobs / digest.removeprefix("sha256:")

    def pack(self, archive: Path) -> Path:
        """Write the layout as a tar."""
        with tarfile.open(archive, "w") as tar:
            tar.add(self.folder, arcname=".")
        return archive
