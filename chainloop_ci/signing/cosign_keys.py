"""cosign's encrypted private keys: JSON in a PEM block, scrypt and NaCl secretbox around a PKCS#8 key.

Source: secure-systems-lab/go-securesystemslib, `encrypted/encrypted.go`; labels: sigstore/cosign, `pkg/cosign/keys.go`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from dataclasses import field

from chainloop_ci.errors import SigningKeyInvalidError
from chainloop_ci.records import record
from chainloop_ci.signing.pem import PemBlock, render_block

LABELS = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
"""The label that is written, and the older one."""

MAX_SCRYPT_MEMORY_BYTES = 256 * 1024 * 1024
"""Most memory that a key file may make us use; cosign's own parameters need 16 to 128 MiB."""

_MAX_PARALLEL = 4
_COST, _BLOCK_SIZE, _PARALLEL = 65536, 8, 1
_SALT_BYTES, _NONCE_BYTES, _KEY_BYTES = 32, 24, 32


@record
class _Sealed:
    """The JSON inside the PEM block."""

    cost: int
    block_size: int
    parallel: int
    salt: bytes
    nonce: bytes
    ciphertext: bytes = field(repr=False)


def decrypt(block: PemBlock, password: str) -> bytes:
    """Return the PKCS#8 DER that the block holds.

    Raises:
        SigningKeyInvalidError: a damaged block, parameters out of bounds, or a wrong password.
    """
    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    sealed = _parse(block)
    box = SecretBox(_derive(sealed, password))
    try:
        return bytes(box.decrypt(sealed.ciphertext, sealed.nonce))
    except CryptoError as error:
        found = "the password is empty" if not password else "the password is wrong"
        raise SigningKeyInvalidError(
            f"the signing key cannot be decrypted: {found}, or the key file is damaged",
            hint="set CHAINLOOP_SIGNING_PASSWORD to the password that the key was made with",
        ) from error


def encrypt(pkcs8: bytes, password: str) -> str:
    """Return a PEM block that cosign reads, with its standard parameters."""
    from nacl.secret import SecretBox

    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    unsealed = _Sealed(_COST, _BLOCK_SIZE, _PARALLEL, salt, nonce, b"")
    ciphertext = SecretBox(_derive(unsealed, password)).encrypt(pkcs8, nonce).ciphertext
    params = {"N": _COST, "r": _BLOCK_SIZE, "p": _PARALLEL}
    document = {
        "kdf": {"name": "scrypt", "params": params, "salt": _text(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": _text(nonce)},
        "ciphertext": _text(bytes(ciphertext)),
    }
    return render_block(LABELS[0], json.dumps(document, separators=(",", ":")).encode("ascii"))


def _derive(sealed: _Sealed, password: str) -> bytes:
    # OpenSSL refuses what needs more than maxmem, and its default is below cosign's parameters.
    memory = 128 * sealed.block_size * (sealed.cost + sealed.parallel + 2)
    try:
        return hashlib.scrypt(
            # Bytes of the environment that are no UTF-8 are the password as it was typed.
            password.encode("utf-8", "surrogateescape"),
            salt=sealed.salt,
            n=sealed.cost,
            r=sealed.block_size,
            p=sealed.parallel,
            maxmem=memory + 1024 * 1024,
            dklen=_KEY_BYTES,
        )
    except ValueError as error:
        raise _damaged("its scrypt parameters do not go together") from error


def _parse(block: PemBlock) -> _Sealed:
    try:
        document = json.loads(block.body)
        params = document["kdf"]["params"]
        names = (document["kdf"]["name"], document["cipher"]["name"])
        sealed = _Sealed(
            cost=_positive(params["N"]),
            block_size=_positive(params["r"]),
            parallel=_positive(params["p"]),
            salt=_bytes(document["kdf"]["salt"]),
            nonce=_bytes(document["cipher"]["nonce"]),
            ciphertext=_bytes(document["ciphertext"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged("its content is not what cosign writes") from error
    if names != ("scrypt", "nacl/secretbox"):
        raise _damaged("expected scrypt and nacl/secretbox")
    _require_bounds(sealed)
    return sealed


def _require_bounds(sealed: _Sealed) -> None:
    if sealed.cost < 2 or sealed.cost & (sealed.cost - 1):
        raise _damaged("its scrypt parameter N is not a power of two")
    if 128 * sealed.cost * sealed.block_size > MAX_SCRYPT_MEMORY_BYTES or sealed.parallel > _MAX_PARALLEL:
        limit = MAX_SCRYPT_MEMORY_BYTES // (1024 * 1024)
        raise _damaged(f"its scrypt parameters need more than {limit} MiB or {_MAX_PARALLEL} rounds")
    if len(sealed.nonce) != _NONCE_BYTES:
        raise _damaged(f"expected a nonce of {_NONCE_BYTES} bytes, found {len(sealed.nonce)}")


def _damaged(reason: str) -> SigningKeyInvalidError:
    return SigningKeyInvalidError(
        f"the encrypted signing key cannot be read: {reason}",
        hint="give the file as `cosign generate-key-pair` or `chainloop organization key create` wrote it",
    )


def _positive(number: object) -> int:
    if isinstance(number, int) and not isinstance(number, bool) and number > 0:
        return number
    raise ValueError("not a positive number")


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
