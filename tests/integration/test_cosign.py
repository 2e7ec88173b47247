"""cosign, a verifier that nobody here wrote: it confirms what we signed, refuses what was changed, and signs for us."""

from __future__ import annotations

import json
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from examples.demo.control_plane import ControlPlane
from tests.integration.live import Answer, Tenant
from tests.integration.pushed import Pushed, cosign, push_with

pytestmark = [pytest.mark.real("cosign", "openssl"), pytest.mark.xdist_group("cosign")]

KINDS = ("chainloop p256", "chainloop ed25519", "chainloop encrypted", "cosign encrypted")

VERIFY = ("verify-blob-attestation", "--type", "chainloop.dev/attestation/v0.2", "--insecure-ignore-tlog=true")
SIGN = ("attest-blob", "--use-signing-config=false", "--tlog-upload=false", "--yes")

Document = dict[str, Any]


@pytest.fixture(scope="module", params=KINDS)
def pushed(
    request: pytest.FixtureRequest, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Pushed:
    """Return a bundle signed with a key of each kind."""
    folder = tmp_path_factory.mktemp("pushed")
    return push_with(Tenant(control_plane.url, control_plane.token_file.read_text().strip(), folder), request.param)


def verify(pushed: Pushed, bundle: Path, blob: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Let cosign verify a bundle for a blob, by default the attested binary."""
    return cosign(pushed.folder, *VERIFY, "--key", pushed.public_key, "--bundle", bundle, blob or pushed.binary)


def verify_here(pushed: Pushed, bundle: Path) -> Answer:
    """Verify a bundle with our own command."""
    return pushed.chainloop("attestation", "verify", "--bundle", bundle, "--key", pushed.public_key)


def test_cosign_verifies_what_push_wrote(pushed: Pushed) -> None:
    answer = verify(pushed, pushed.bundle)

    assert answer.returncode == 0, answer.stderr
    assert "Verified OK" in answer.stderr


def test_cosign_refuses_a_binary_that_was_not_attested(pushed: Pushed, tmp_path: Path) -> None:
    other = tmp_path / "binary"
    other.write_bytes(pushed.binary.read_bytes() + b"\0")

    assert verify(pushed, pushed.bundle, other).returncode != 0


def flip(place: str, position: float) -> Callable[[Document], None]:
    """Return what flips one bit of one byte of the payload or of the signature, at a part of its length."""

    def spoil(envelope: Document) -> None:
        holder = envelope["signatures"][0] if place == "sig" else envelope
        raw = bytearray(b64decode(holder[place]))
        raw[int(position * (len(raw) - 1))] ^= 0x01
        holder[place] = b64encode(bytes(raw)).decode()

    return spoil


def retype(found: str) -> Callable[[Document], None]:
    """Return what sets the payload's type."""

    def spoil(envelope: Document) -> None:
        envelope["payloadType"] = found

    return spoil


CHANGES = {
    **{f"payload at {position:.0%}": flip("payload", position) for position in (0, 0.1, 0.33, 0.5, 0.75, 0.99, 1)},
    **{f"signature at {position:.0%}": flip("sig", position) for position in (0, 0.1, 0.4, 0.6, 0.9, 1)},
    **{f"type {found}": retype(found) for found in ("application/vnd.in-toto+jsom", "Application/vnd.in-toto+json")},
}
"""What the signature covers: payload and payload type; and the signature itself."""


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_t21_both_verifiers_refuse_one_changed_byte(pushed: Pushed, tmp_path: Path, change: Any) -> None:
    document = json.loads(pushed.bundle.read_bytes())
    change(document["dsseEnvelope"])
    (tmp_path / "changed.json").write_text(json.dumps(document))

    assert verify(pushed, tmp_path / "changed.json").returncode != 0
    assert verify_here(pushed, tmp_path / "changed.json").status == 7


def test_the_hint_is_not_covered_by_the_signature(pushed: Pushed, tmp_path: Path) -> None:
    document = json.loads(pushed.bundle.read_bytes())
    document["verificationMaterial"]["publicKey"]["hint"] = "another"
    (tmp_path / "hinted.json").write_text(json.dumps(document))

    assert verify(pushed, tmp_path / "hinted.json").returncode == 0
    assert verify_here(pushed, tmp_path / "hinted.json").status == 0


def test_a_key_id_is_what_cosign_refuses_and_we_never_write(pushed: Pushed, tmp_path: Path) -> None:
    document = json.loads(pushed.bundle.read_bytes())
    assert document["dsseEnvelope"]["signatures"][0].keys() == {"sig"}
    document["dsseEnvelope"]["signatures"][0]["keyid"] = "somebody"
    (tmp_path / "named.json").write_text(json.dumps(document))

    assert verify(pushed, tmp_path / "named.json").returncode != 0


def test_another_key_is_refused_by_both(pushed: Pushed, tmp_path: Path) -> None:
    assert cosign(tmp_path, "generate-key-pair").returncode == 0

    theirs = cosign(tmp_path, *VERIFY, "--key", "cosign.pub", "--bundle", pushed.bundle, pushed.binary)
    ours = pushed.chainloop("attestation", "verify", "--bundle", pushed.bundle, "--key", tmp_path / "cosign.pub")

    assert theirs.returncode != 0
    assert ours.status == 8


def write_statement(folder: Path, pushed: Pushed) -> Path:
    """Write the statement of a pushed bundle, for somebody else to sign."""
    payload = json.loads(pushed.bundle.read_bytes())["dsseEnvelope"]["payload"]
    (folder / "statement.json").write_bytes(b64decode(payload))
    return folder / "statement.json"


def sign_with_cosign(pushed: Pushed, folder: Path) -> Path:
    """Let cosign sign the statement with the private key that we signed with."""
    private = pushed.private_key
    if "ENCRYPTED SIGSTORE" not in private.read_text():
        imported = cosign(folder, "import-key-pair", "--key", private, "--output-key-prefix", "key")
        assert imported.returncode == 0, imported.stderr
        private = folder / "key.key"
    statement, bundle = write_statement(folder, pushed), folder / "theirs.json"
    signed = cosign(folder, *SIGN, "--key", private, "--statement", statement, "--bundle", bundle)
    assert signed.returncode == 0, signed.stderr
    return bundle


def test_we_verify_what_cosign_signed_with_the_same_key(pushed: Pushed, tmp_path: Path) -> None:
    bundle = sign_with_cosign(pushed, tmp_path)

    ours, theirs = verify_here(pushed, bundle), verify(pushed, bundle)

    if pushed.is_ed25519:
        # cosign 3.1 signs the digest of the bytes with Ed25519ph, and verifies Ed25519 only: its own bundle as little.
        assert (ours.status, theirs.returncode) == (7, 1)
    else:
        assert (ours.status, theirs.returncode) == (0, 0), (ours, theirs)


def test_we_verify_what_cosign_signed_with_rsa(pushed: Pushed, tmp_path: Path) -> None:
    subprocess.run(["openssl", "genrsa", "-out", tmp_path / "rsa.pem", "3072"], check=True, capture_output=True)
    assert cosign(tmp_path, "import-key-pair", "--key", "rsa.pem", "--output-key-prefix", "rsa").returncode == 0
    statement = write_statement(tmp_path, pushed)

    signed = cosign(tmp_path, *SIGN, "--key", "rsa.key", "--statement", statement, "--bundle", "theirs.json")

    assert signed.returncode == 0, signed.stderr
    answer = pushed.chainloop(
        "attestation", "verify", "--bundle", tmp_path / "theirs.json", "--key", tmp_path / "rsa.pub"
    )
    assert answer.status == 0, answer
