"""Make a key pair for `organization key create`."""

from __future__ import annotations

from chainloop_ci.errors import UsageError
from chainloop_ci.signing import cosign_keys
from chainloop_ci.signing.public_keys import KeyAlgorithm, wrap_public_key

SIGNING_ALGORITHMS = (KeyAlgorithm.ECDSA_P256, KeyAlgorithm.ED25519)
"""Algorithms that a key can be made for, the usual one first."""


def generate_key(algorithm: KeyAlgorithm = KeyAlgorithm.ECDSA_P256, password: str | None = None) -> tuple[str, str]:
    """Return private and public key as PEM.

    With a password the private key has cosign's encrypted form, so that cosign can use it as well; without one it is
    PKCS#8.

    Raises:
        UsageError: an algorithm that is only verified.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    if algorithm not in SIGNING_ALGORITHMS:
        raise UsageError(f"expected one of {', '.join(SIGNING_ALGORITHMS)}, found {algorithm}")
    ed25519 = algorithm is KeyAlgorithm.ED25519
    key = Ed25519PrivateKey.generate() if ed25519 else generate_private_key(SECP256R1())
    encoding = Encoding.PEM if password is None else Encoding.DER
    private = key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())
    private_pem = private.decode("ascii") if password is None else cosign_keys.encrypt(private, password)
    return private_pem, wrap_public_key(key.public_key()).pem
