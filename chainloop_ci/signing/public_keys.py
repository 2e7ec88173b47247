"""Public keys: load one from PEM and check signatures with it.

What is verified is what cosign and the Go product write: ECDSA on P-256 and P-384 with SHA-256, Ed25519, and RSA with
PKCS#1 v1.5 and SHA-256.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import SigningKeyInvalidError
from chainloop_ci.signing.pem import PemBlock, find_blocks

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    SupportedKey = EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey

MIN_RSA_BITS = 2048
"""Shortest RSA key that is accepted (NIST SP 800-131A)."""

MAX_KEY_BYTES = 64 * 1024
"""Largest file that is taken for a key."""

_CURVE_NAMES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp224r1": "P-224"}


class KeyAlgorithm(StrEnum):
    """How a key signs."""

    ECDSA_P256 = "ecdsa-p256-sha256"
    ECDSA_P384 = "ecdsa-p384-sha256"
    """Verified, never used for signing."""
    ED25519 = "ed25519"
    RSA = "rsa-pkcs1v15-sha256"
    """Verified, never used for signing."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that checks signatures."""

    algorithm: KeyAlgorithm
    pem: str
    """SubjectPublicKeyInfo, as it is registered and shown."""
    key_id: Digest
    """`sha256:` of the SPKI DER (design decision 18)."""
    hint: str
    """base64 of sha256 of the SPKI DER: cosign's hint, written into bundles."""
    _key: SupportedKey = field(repr=False, compare=False)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether this key made `signature` over `message`; a malformed signature is simply not one."""
        from cryptography.exceptions import InvalidSignature

        key: Any = self._key
        try:
            key.verify(signature, message, *_scheme(self.algorithm))
        except InvalidSignature:
            return False
        return True


@cache
def _scheme(algorithm: KeyAlgorithm) -> tuple[object, ...]:
    """Return what the cryptography library wants to know besides signature and message."""
    from cryptography.hazmat.primitives.asymmetric import ec, padding
    from cryptography.hazmat.primitives.hashes import SHA256

    schemes: dict[KeyAlgorithm, tuple[object, ...]] = {
        KeyAlgorithm.ECDSA_P256: (ec.ECDSA(SHA256()),),
        KeyAlgorithm.ECDSA_P384: (ec.ECDSA(SHA256()),),
        KeyAlgorithm.ED25519: (),
        KeyAlgorithm.RSA: (padding.PKCS1v15(), SHA256()),
    }
    return schemes[algorithm]


def load_public_key(raw: bytes) -> PublicKey:
    """Return the public key that a PEM file holds.

    Raises:
        SigningKeyInvalidError: no key, a private key, a certificate, or a kind of key that is not accepted.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    block = _public_block(raw)
    try:
        key = load_pem_public_key(block.text.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningKeyInvalidError(
            f"the public key cannot be read: its {block.label!r} block is damaged or of an unknown kind",
            hint="make it again with `openssl pkey -in KEY -pubout` or `cosign public-key --key KEY`",
        ) from error
    return wrap_public_key(key)


def wrap_public_key(key: PublicKeyTypes) -> PublicKey:
    """Return a key of the cryptography library as one of ours.

    Raises:
        SigningKeyInvalidError: a curve, kind or length that is not accepted.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    algorithm, supported = _classify(key)
    der = supported.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = supported.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key_id = sha256_digest(der)
    hint = base64.b64encode(bytes.fromhex(key_id.removeprefix("sha256:"))).decode("ascii")
    return PublicKey(algorithm, pem.decode("ascii"), key_id, hint, supported)


def curve_name(curve: str) -> str:
    """Return the common name of a curve: `P-256` for `secp256r1`."""
    return _CURVE_NAMES.get(curve, curve)


def _classify(key: PublicKeyTypes) -> tuple[KeyAlgorithm, SupportedKey]:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if isinstance(key, Ed25519PublicKey):
        return KeyAlgorithm.ED25519, key
    if isinstance(key, RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            raise _unaccepted(f"RSA with {key.key_size} bits", f"RSA with at least {MIN_RSA_BITS} bits")
        return KeyAlgorithm.RSA, key
    if isinstance(key, EllipticCurvePublicKey):
        algorithms = {"secp256r1": KeyAlgorithm.ECDSA_P256, "secp384r1": KeyAlgorithm.ECDSA_P384}
        if key.curve.name in algorithms:
            return algorithms[key.curve.name], key
        raise _unaccepted(f"an EC key on {curve_name(key.curve.name)}")
    raise _unaccepted(f"a key of kind {type(key).__name__.removesuffix('PublicKey')}")


def _unaccepted(found: str, expected: str = "P-256, P-384, Ed25519 or RSA") -> SigningKeyInvalidError:
    return SigningKeyInvalidError(
        f"expected a key on {expected}, found {found}",
        hint="make one with `chainloop organization key create`",
    )


def _public_block(raw: bytes) -> PemBlock:
    if len(raw) > MAX_KEY_BYTES:
        raise SigningKeyInvalidError(f"expected a public key of at most {MAX_KEY_BYTES} bytes, found {len(raw)} bytes")
    blocks = find_blocks(raw.decode("utf-8", "replace"))
    for block in blocks:
        if block.label in ("PUBLIC KEY", "RSA PUBLIC KEY"):
            return block
    labels = [block.label for block in blocks]
    if any(label.endswith("PRIVATE KEY") for label in labels):
        raise SigningKeyInvalidError(
            "expected a public key, found a private one",
            hint="never hand out the private key; write its public part with `openssl pkey -in KEY -pubout`",
        )
    if "CERTIFICATE" in labels:
        raise SigningKeyInvalidError(
            "expected a public key, found a certificate",
            hint="write its key with `openssl x509 -in CERTIFICATE -pubkey -noout`",
        )
    raise SigningKeyInvalidError(
        "expected a public key in PEM form (-----BEGIN PUBLIC KEY-----), found none",
        hint="give the file that `chainloop organization key create` or `cosign generate-key-pair` wrote: *.pub",
    )
