from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.errors import ChainloopError, SigningKeyInvalidError
from chainloop_ci.signing.pem import render_block
from chainloop_ci.signing.public_keys import KeyAlgorithm, PublicKey, load_public_key

MESSAGE = b"message"
RSA_KEY = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()

Public = (
    ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey | dsa.DSAPublicKey | x25519.X25519PublicKey
)


def pem(key: Public) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


SIGNATURES = [
    (KeyAlgorithm.ECDSA_P256, P256.public_key(), P256.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))),
    (KeyAlgorithm.ECDSA_P384, P384.public_key(), P384.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))),
    (KeyAlgorithm.ED25519, ED25519.public_key(), ED25519.sign(MESSAGE)),
    (KeyAlgorithm.RSA, RSA_KEY.public_key(), RSA_KEY.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256())),
]


@pytest.mark.parametrize(("algorithm", "key", "signature"), SIGNATURES, ids=[row[0] for row in SIGNATURES])
def test_a_signature_by_the_key_holds_and_no_other(algorithm: KeyAlgorithm, key: Public, signature: bytes) -> None:
    public = load_public_key(pem(key))

    assert public.algorithm is algorithm
    assert public.verify(signature, MESSAGE)
    assert not public.verify(signature, MESSAGE + b"!")
    assert not public.verify(signature + b"\x00", MESSAGE)
    assert not any(public.verify(other, MESSAGE) for _, _, other in SIGNATURES if other != signature)


@pytest.mark.parametrize("signature", [b"", b"\x00", b"0", b"0\x00", b"\xff" * 64, b"0\x06\x02\x01\x00\x02\x01\x00"])
@pytest.mark.parametrize("key", [row[1] for row in SIGNATURES], ids=[row[0] for row in SIGNATURES])
def test_a_malformed_signature_is_simply_not_one(key: Public, signature: bytes) -> None:
    assert not load_public_key(pem(key)).verify(signature, MESSAGE)


def test_another_hash_or_padding_does_not_hold() -> None:
    public = load_public_key(pem(RSA_KEY.public_key()))
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH)

    assert not public.verify(RSA_KEY.sign(MESSAGE, pss, hashes.SHA256()), MESSAGE)
    assert not public.verify(RSA_KEY.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA512()), MESSAGE)
    assert not load_public_key(pem(P384.public_key())).verify(P384.sign(MESSAGE, ec.ECDSA(hashes.SHA384())), MESSAGE)


def test_the_names_of_a_key_are_made_of_its_spki() -> None:
    key = P256.public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    public = load_public_key(pem(key))

    assert public.key_id == "sha256:" + hashlib.sha256(der).hexdigest()
    assert public.hint == base64.b64encode(hashlib.sha256(der).digest()).decode()
    assert public.pem.encode() == pem(key)


def test_the_key_of_the_go_product_s_bundle_is_read(corpus: Path) -> None:
    public = load_public_key((corpus / "go-product" / "cosign.pub").read_bytes())

    assert public.algorithm is KeyAlgorithm.ECDSA_P256


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b"\n", b"\r\n"),
        lambda raw: raw.replace(b"\n", b"\\n"),
        lambda raw: b"  " + raw.replace(b"\n", b"\n  "),
        lambda raw: b"# a comment\n" + raw,
    ],
    ids=["crlf", "literal-n", "indented", "comment"],
)
def test_a_key_that_was_pasted_is_the_same_key(change: object) -> None:
    raw = pem(P256.public_key())
    assert callable(change)

    assert load_public_key(change(raw)) == load_public_key(raw)


def _private() -> bytes:
    return P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "found none"),
        (b"\xff\xfe\x00", "found none"),
        (_private(), "found a private one"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "found a certificate"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "damaged"),
        (b"-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----", "damaged"),
        (pem(rsa.generate_private_key(65537, 1024).public_key()), "RSA with 1024 bits"),
        (pem(ec.generate_private_key(ec.SECP521R1()).public_key()), "an EC key on P-521"),
        (pem(x25519.X25519PrivateKey.generate().public_key()), "a key of kind X25519"),
        (b"x" * (64 * 1024 + 1), "at most 65536 bytes"),
    ],
    ids=["empty", "binary", "private", "certificate", "short", "not-base64", "rsa-1024", "P-521", "x25519", "large"],
)
def test_what_is_not_an_accepted_public_key_is_named(raw: bytes, message: str) -> None:
    with pytest.raises(SigningKeyInvalidError, match=message) as caught:
        load_public_key(raw)

    assert caught.value.hint or "bytes" in message


def test_a_private_key_is_never_repeated() -> None:
    with pytest.raises(SigningKeyInvalidError) as caught:
        load_public_key(_private())

    assert _private().decode().splitlines()[1] not in caught.value.message


def test_equal_keys_are_equal() -> None:
    first, second = load_public_key(pem(P256.public_key())), load_public_key(pem(P256.public_key()))

    assert isinstance(first, PublicKey)
    assert first == second != load_public_key(pem(P384.public_key()))


@given(st.data())
def test_a_damaged_key_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(P256.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    try:
        public = load_public_key(render_block("PUBLIC KEY", bytes(content)).encode())
    except ChainloopError as error:
        assert error.message
    else:
        assert not public.verify(b"0", MESSAGE)
