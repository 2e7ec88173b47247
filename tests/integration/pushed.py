"""Bundles that the real command line pushed to a real control plane, one per kind of signing key."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.integration.live import CommandLine, Job, Tenant

PASSWORD = "a password of the tests"


@dataclass(frozen=True)
class Pushed:
    """What `push --bundle` wrote, and what verifies it."""

    folder: Path
    bundle: Path
    public_key: Path
    private_key: Path
    kind: str

    @property
    def is_ed25519(self) -> bool:
        """Tell whether the key is one on Ed25519."""
        return self.kind.endswith("ed25519")

    @property
    def binary(self) -> Path:
        """Return the file that is the attestation's output."""
        return self.folder / "binary"

    @property
    def chainloop(self) -> CommandLine:
        """Return the command line of somebody who has the files and no token."""
        return CommandLine(self.folder)


def cosign(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run cosign in a folder: without network, without a log of transparency."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "COSIGN_PASSWORD": PASSWORD}
    return subprocess.run(
        ["cosign", *map(str, words)],
        cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def push_with(tenant: Tenant, kind: str) -> Pushed:
    """Attest with a key of a kind: the first half says who makes it, the second what it is."""
    job = tenant.job()
    private, public = _make_key(tenant, kind)
    (tenant.folder / "binary").write_bytes(b"\x7fELF" + bytes(2000))
    env = {"CHAINLOOP_SIGNING_KEY": str(private), "CHAINLOOP_SIGNING_PASSWORD": PASSWORD}
    _attest(job, env)
    return Pushed(tenant.folder, tenant.folder / "bundle.json", public, private, kind)


def _make_key(tenant: Tenant, kind: str) -> tuple[Path, Path]:
    maker, _, form = kind.partition(" ")
    folder = tenant.folder
    if maker == "cosign":
        assert cosign(folder, "generate-key-pair").returncode == 0
        _operate(tenant, "add", "--name", "key", "--public-key", "cosign.pub")
        return folder / "cosign.key", folder / "cosign.pub"
    env = {"CHAINLOOP_SIGNING_PASSWORD": PASSWORD} if form == "encrypted" else {}
    algorithm = form if form == "ed25519" else "ecdsa-p256-sha256"
    _operate(tenant, "create", "--name", "key", "--algorithm", algorithm, env=env)
    return folder / "key.key", folder / "key.pub"


def _operate(tenant: Tenant, *words: str, env: Mapping[str, str] | None = None) -> None:
    access = {"CHAINLOOP_CONTROL_PLANE_API": tenant.url, "CHAINLOOP_TOKEN": tenant.admin_token}
    answer = CommandLine(tenant.folder, access)("organization", "key", *words, "--workflow", "hello/build", env=env)
    assert answer.status == 0, answer


def _attest(job: Job, env: Mapping[str, str]) -> None:
    for words in (
        ("init",),
        ("add", "--name", "binary", "--value", "binary"),
        ("add", "--name", "version", "--value", "1.0.0"),
        ("push", "--bundle", "bundle.json"),
    ):
        answer = job.chainloop("attestation", *words, env=env)
        assert answer.status == 0, answer
