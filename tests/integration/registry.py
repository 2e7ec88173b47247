"""Debian's docker-registry on loopback, with or without a password, and images to push into it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from examples.demo.control_plane import free_port

START_SECONDS = 60
USER, PASSWORD = "builder", "correct horse"


@dataclass(frozen=True)
class Registry:
    """A running registry."""

    host: str
    folder: Path
    protected: bool

    def push_image(self, name: str, tag: str) -> str:
        """Push a small image made by skopeo's own reader of an OCI layout; return its reference."""
        layout = self.folder / "layout"
        make_layout(layout)
        reference = f"{self.host}/{name}:{tag}"
        login = ["--dest-creds", f"{USER}:{PASSWORD}"] if self.protected else []
        subprocess.run(
            ["skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", *login, f"oci:{layout}:image",
             f"docker://{reference}"],
            check=True, capture_output=True,
        )  # fmt: skip
        return reference


def make_layout(folder: Path) -> None:
    """Write an OCI layout with one image of one empty layer."""
    import gzip
    import hashlib
    import json

    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def blob(raw: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(raw).hexdigest()
        (blobs / digest).write_bytes(raw)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(raw)}

    tar = bytes(10240)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [blob(gzip.compress(tar, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")],
    }
    entry = blob(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": "image"}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


@contextmanager
def start_registry(
    folder: Path, *, protected: bool = False, tls: tuple[Path, Path] | None = None
) -> Iterator[Registry]:
    """Run a registry for the length of a block; `tls`: its certificate and key."""
    host = f"127.0.0.1:{free_port()}"
    login = ""
    if protected:
        htpasswd = folder / "htpasswd"
        subprocess.run(["htpasswd", "-Bbc", str(htpasswd), USER, PASSWORD], check=True, capture_output=True)
        login = f"auth:\n  htpasswd:\n    realm: chainloop-test\n    path: {htpasswd}\n"
    secured = f"  tls:\n    certificate: {tls[0]}\n    key: {tls[1]}\n" if tls else ""
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\nlog:\n  level: error\n"
        f"storage:\n  filesystem:\n    rootdirectory: {folder / 'storage'}\n  delete:\n    enabled: true\n"
        f"http:\n  addr: {host}\n{secured}{login}"
    )
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait(host, folder / "registry.log")
        yield Registry(host, folder, protected)
    finally:
        process.terminate()
        process.wait(10)


def _wait(host: str, log: Path) -> None:
    name, _, port = host.rpartition(":")
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            socket.create_connection((name, int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("docker-registry did not start:\n" + log.read_text(errors="replace"))
