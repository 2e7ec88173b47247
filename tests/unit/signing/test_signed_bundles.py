"""Real keys and real bundles together: what is signed verifies, and nothing else does."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from chainloop_ci.attestation.bundle import Bundle, pae, read_bundle, read_bundle_strict, render_bundle
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, Signature, encode_pae
from chainloop_ci.attestation.verification import check_signature
from chainloop_ci.errors import SignatureInvalidError, SignerNotTrustedError
from chainloop_ci.signing.generate import SIGNING_ALGORITHMS, generate_key
from chainloop_ci.signing.keys import Signer, load_signing_key
from chainloop_ci.signing.public_keys import KeyAlgorithm, PublicKey, load_public_key, wrap_public_key

PAYLOAD = b'{"_type":"https://in-toto.io/Statement/v1"}'


def make_signer(algorithm: KeyAlgorithm) -> Signer:
    return load_signing_key(generate_key(algorithm)[0], read_password=lambda: None, env={})


SIGNERS = {algorithm: make_signer(algorithm) for algorithm in SIGNING_ALGORITHMS}


@pytest.fixture(params=SIGNING_ALGORITHMS)
def signer(request: pytest.FixtureRequest) -> Signer:
    return SIGNERS[request.param]


def sign(signer: Signer) -> bytes:
    return render_bundle(PAYLOAD, signer.sign(encode_pae(PAYLOAD_TYPE, PAYLOAD)), signer.hint)


def refused(bundle: Bundle, key: PublicKey) -> bool:
    try:
        check_signature(bundle, [key])
    except SignatureInvalidError:
        return True
    return False


def test_a_signed_bundle_verifies_through_its_bytes(signer: Signer) -> None:
    bundle = read_bundle_strict(sign(signer))

    assert check_signature(bundle, [signer.public_key]).key_id == signer.key_id


def test_every_flipped_byte_of_the_payload_fails(signer: Signer) -> None:
    bundle = read_bundle(sign(signer))
    for position in range(len(PAYLOAD)):
        for flip in (0x01, 0x20, 0x80):
            payload = bytearray(PAYLOAD)
            payload[position] ^= flip

            assert refused(replace(bundle, payload=bytes(payload)), signer.public_key)


def test_every_flipped_byte_of_the_signature_fails(signer: Signer) -> None:
    bundle = read_bundle(sign(signer))
    [good] = bundle.signatures
    for position in range(len(good.value)):
        for flip in (0x01, 0x20, 0x80, 0xFF):
            value = bytearray(good.value)
            value[position] ^= flip

            assert refused(replace(bundle, signatures=(Signature(bytes(value)),)), signer.public_key)


def test_every_shortened_or_lengthened_signature_fails(signer: Signer) -> None:
    bundle = read_bundle(sign(signer))
    [good] = bundle.signatures
    for length in range(1, len(good.value)):
        assert refused(replace(bundle, signatures=(Signature(good.value[:length]),)), signer.public_key)
    assert refused(replace(bundle, signatures=(Signature(good.value + b"\x00"),)), signer.public_key)


def test_another_signer_is_not_trusted(signer: Signer) -> None:
    stranger = make_signer(KeyAlgorithm.ED25519)

    with pytest.raises(SignerNotTrustedError):
        check_signature(read_bundle(sign(stranger)), [signer.public_key])


def test_a_bundle_of_the_go_product_verifies_with_its_key(corpus: Path) -> None:
    folder = corpus / "go-product"
    key = load_public_key((folder / "cosign.pub").read_bytes())

    verified = check_signature(read_bundle((folder / "bundle-key.json").read_bytes()), [key])

    assert verified == key


def test_a_bundle_of_the_go_product_fails_with_another_key(corpus: Path, signer: Signer) -> None:
    bundle = read_bundle((corpus / "go-product" / "bundle-key.json").read_bytes())

    with pytest.raises(SignatureInvalidError):
        check_signature(bundle, [signer.public_key])


@pytest.mark.parametrize("with_key", [False, True])
def test_a_bundle_signed_by_a_certificate_is_not_trusted(corpus: Path, with_key: bool) -> None:
    folder = corpus / "go-product"
    keys = [load_public_key((folder / "cosign.pub").read_bytes())] if with_key else []

    with pytest.raises(SignerNotTrustedError, match="certificate that nobody here trusts"):
        check_signature(read_bundle((folder / "bundle-file-ca.json").read_bytes()), keys)


def test_the_published_signature_of_the_dsse_protocol_holds() -> None:
    """DSSE v1.0, protocol.md, «Test Vectors»: the key as coordinates, the signature as two numbers side by side."""
    x = 46950820868899156662930047687818585632848591499744589407958293238635476079160
    y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
    key = wrap_public_key(EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key())
    raw = b64decode("A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==")
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))

    assert key.verify(signature, encode_pae("http://example.com/HelloWorld", b"hello world"))
    assert not key.verify(signature, encode_pae("http://example.com/HelloWorld", b"hello worle"))
    assert not key.verify(signature, encode_pae("http://example.com/HelloWorle", b"hello world"))


@pytest.mark.real("openssl")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")
def test_openssl_verifies_the_same_signature(tmp_path: Path) -> None:
    signer = SIGNERS[KeyAlgorithm.ECDSA_P256]
    bundle = read_bundle(sign(signer))
    files = {"message": pae(bundle), "signature": bundle.signatures[0].value, "key": signer.public_key.pem.encode()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    command = ["openssl", "dgst", "-sha256", "-verify", "key", "-signature", "signature", "message"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)

    assert (result.returncode, result.stdout.strip()) == (0, "Verified OK")
