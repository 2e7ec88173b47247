"""The commands of `attestation` against a control plane in memory, with a signing key."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.cli.conftest import Screen, TestWorld
from tests.unit.crafting.memory import NOW

URL = {"CHAINLOOP_CONTROL_PLANE_API": "https://cp.test"}


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def private_pem(key) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.fixture
def public_pem(key) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


@pytest.fixture
def att(chainloop, plane, private_pem, tmp_path):
    """Return what runs an attestation command against the plane in memory, with a signing key."""
    (tmp_path / "app.bin").write_bytes(b"binary")

    def att(*arguments: str, env=None, **facts):
        return chainloop(
            "attestation",
            *arguments,
            env=URL | {"CHAINLOOP_SIGNING_KEY": private_pem} | (env or {}),
            plane=plane,
            **facts,
        )

    return att


@pytest.fixture
def world_of(plane, private_pem, tmp_path):
    """Return what makes the world of one invocation, for tests whose streams are special."""

    def make(*, stdout) -> TestWorld:
        env = URL | {"CHAINLOOP_SIGNING_KEY": private_pem, "XDG_STATE_HOME": str(tmp_path / "state")}
        env["XDG_CONFIG_HOME"] = str(tmp_path / "config")
        world = TestWorld(env=env, cwd=tmp_path, stdin=Screen(), stdout=stdout, stderr=Screen(), now=lambda: NOW)
        world.plane = plane
        return world

    return make


@pytest.fixture
def complete(att):
    """Begin an attestation and add all that its contract asks for."""
    assert att("init").status == 0
    assert att("add", "--name", "commit", "--value", "deadbeef").status == 0
    assert att("add", "--name", "binary", "--value", "app.bin").status == 0
