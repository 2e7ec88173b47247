"""Signing keys: find one by its reference, decrypt it, and sign with it.

A reference is what `--key` and `CHAINLOOP_SIGNING_KEY` hold (R5): a path, `env://NAME`, PEM text, or base64 of it.
No message here repeats key material or a password; a reference is shown only when it cannot be either.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from chainloop_ci.digests import Digest
from chainloop_ci.errors import SigningKeyInvalidError, SigningKeyMissingError
from chainloop_ci.signing import cosign_keys
from chainloop_ci.signing.passwords import PASSWORD_FILE_VARIABLE, PASSWORD_VARIABLE, ReadPassword
from chainloop_ci.signing.pem import PemBlock, find_blocks
from chainloop_ci.signing.public_keys import MAX_KEY_BYTES, PublicKey, curve_name, wrap_public_key
from chainloop_ci.small_files import read_small_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    SigningKey = EllipticCurvePrivateKey | Ed25519PrivateKey

ENV_SCHEME = "env://"
"""Start of a reference that names an environment variable."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*(?=:)", re.ASCII)
_LATER_SCHEMES = frozenset(
    {"awskms", "azurekms", "gcpkms", "hashivault", "k8s", "gitlab", "pkcs11", "openbao", "signserver"}
)
_SHOWN_CHARACTERS = 200
_PATH_LIKE = re.compile(r"[/~.].*|[A-Za-z]:\\.*|.*\.[a-z0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key that is ready to sign."""

    public_key: PublicKey
    _key: SigningKey = field(repr=False, compare=False)
    warnings: tuple[str, ...] = ()
    """What the user should know about the key's file."""

    @property
    def key_id(self) -> Digest:
        """Return `sha256:` of the public key's SPKI DER."""
        return self.public_key.key_id

    @property
    def hint(self) -> str:
        """Return the public key's hint, as bundles write it."""
        return self.public_key.hint

    def sign(self, pae: bytes) -> bytes:
        """Return a signature over the DSSE pre-authentication encoding."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256

        if isinstance(self._key, Ed25519PrivateKey):
            return self._key.sign(pae)
        return self._key.sign(pae, ECDSA(SHA256()))

    def has_signed(self, signature: bytes, pae: bytes) -> bool:
        """Tell whether this key made a signature."""
        return self.public_key.verify(signature, pae)


def load_signing_key(reference: str, *, read_password: ReadPassword, env: Mapping[str, str]) -> Signer:
    """Return the signer that a reference names; the password is asked for only when the key is encrypted.

    Raises:
        SigningKeyMissingError: the reference is empty.
        SigningKeyInvalidError: nothing there, no private key, a kind that cannot sign here, no or a wrong password.
        FileUnreadableError: the path is a folder, may not be read, or is a pipe that nobody fills in time.
        PathRefusedError: the path is a device, a socket or a file of /proc (R22).
    """
    text, warnings = _resolve(reference.strip(), env)
    key = _require_supported(_decrypt(_private_block(text), read_password))
    return Signer(wrap_public_key(key.public_key()), key, warnings)


def _resolve(reference: str, env: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return the PEM text that a reference stands for, and warnings."""
    if not reference:
        raise SigningKeyMissingError(
            "expected a signing key, found an empty value",
            hint="give --key (CHAINLOOP_SIGNING_KEY) a path, the key itself, or base64 of it",
        )
    if reference.startswith(ENV_SCHEME):
        return _from_variable(reference.removeprefix(ENV_SCHEME), env), ()
    if find_blocks(reference):
        return reference, ()
    scheme = _SCHEME.match(reference)
    if scheme and scheme[0] in _LATER_SCHEMES:
        raise SigningKeyInvalidError(
            f"keys of {scheme[0]} cannot be used yet",
            hint=f"give a key file, {ENV_SCHEME}NAME, or the key itself",
        )
    if _is_path(reference):
        return _from_file(Path(reference))
    decoded = _from_base64(reference)
    if decoded is None:
        raise _no_key(reference)
    return decoded, ()


def _from_variable(name: str, env: Mapping[str, str]) -> str:
    value = env.get(name, "")
    if not value.strip():
        state = "is empty" if name in env else "is not set"
        raise SigningKeyInvalidError(
            f"expected a signing key in the environment variable {name!r}, which {state}",
            hint="hand the secret to this step; jobs of forks and of unprotected branches get none",
        )
    if find_blocks(value):
        return value
    decoded = _from_base64(value)
    if decoded is None:
        raise SigningKeyInvalidError(
            f"expected a PEM key, or base64 of one, in the environment variable {name!r}, found something else",
            hint="store the whole key file in the secret or variable, its BEGIN and END lines included",
        )
    return decoded


def _is_path(reference: str) -> bool:
    try:
        return bool(reference) and Path(reference).exists()
    except (OSError, ValueError):
        return False  # too long for a path, or with a NUL


def _from_file(path: Path) -> tuple[str, tuple[str, ...]]:
    file = read_small_file(path, "the signing key", MAX_KEY_BYTES)
    if len(file.raw) > MAX_KEY_BYTES:
        raise SigningKeyInvalidError(f"expected a signing key of at most {MAX_KEY_BYTES} bytes in {str(path)!r}")
    text = file.raw.decode("utf-8", "replace")
    return (text if find_blocks(text) else _from_base64(text) or text), _mode_warnings(path, file.mode)


def _mode_warnings(path: Path, mode: int) -> tuple[str, ...]:
    # On Windows the bits say nothing; pipes (`--key <(…)`) belong to the process.
    if os.name != "posix" or not stat.S_ISREG(mode) or not mode & 0o077:
        return ()
    bits = stat.S_IMODE(mode)
    return (f"the signing key {str(path)!r} can be read by others (mode {bits:04o}): run chmod 600 on it",)


def _from_base64(text: str) -> str | None:
    try:
        decoded = base64.b64decode("".join(text.split()).encode("ascii"), validate=True).decode("utf-8")
    except (ValueError, binascii.Error):
        return None
    return decoded if find_blocks(decoded) else None


def _no_key(reference: str) -> SigningKeyInvalidError:
    shown = repr(reference) if _is_harmless(reference) else f"a value of {len(reference)} characters"
    return SigningKeyInvalidError(
        f"expected a signing key: a file that exists, {ENV_SCHEME}NAME, PEM text or base64 of it; found {shown}",
        hint="check the path, or store the whole key file, its BEGIN and END lines included, in the secret or variable",
    )


def _is_harmless(reference: str) -> bool:
    """Tell whether a reference looks like a path and may be shown; what does not may be a secret in the wrong place."""
    short = len(reference) <= _SHOWN_CHARACTERS and reference.isprintable()
    return short and "BEGIN" not in reference and _PATH_LIKE.fullmatch(reference) is not None


def _private_block(text: str) -> PemBlock:
    blocks = find_blocks(text)
    found = next((block for block in blocks if block.label.endswith("PRIVATE KEY")), None)
    labels = [block.label for block in blocks]
    if found is None and "PUBLIC KEY" in labels:
        raise SigningKeyInvalidError(
            "expected a private key to sign with, found a public one",
            hint="give the other file of the pair: cosign writes cosign.key beside cosign.pub",
        )
    if found is None:
        kinds = ", ".join(labels) or "no PEM block"
        raise SigningKeyInvalidError(
            f"expected a private key in PEM form, found {kinds}",
            hint="make a key with `chainloop organization key create` or `cosign generate-key-pair`",
        )
    if found.label == "OPENSSH PRIVATE KEY":
        raise SigningKeyInvalidError(
            "expected a PEM or cosign key, found one in OpenSSH's own form",
            hint="convert a copy of it: ssh-keygen -p -m PKCS8 -f COPY",
        )
    return found


def _decrypt(block: PemBlock, read_password: ReadPassword) -> PrivateKeyTypes:
    if block.label in cosign_keys.LABELS:
        return _load_der(cosign_keys.decrypt(block, _require_password(read_password)))
    encrypted = block.label == "ENCRYPTED PRIVATE KEY" or "Proc-Type: 4,ENCRYPTED" in block.text
    return _load_pem(block, _require_password(read_password) if encrypted else None)


def _require_password(read_password: ReadPassword) -> str:
    password = read_password()
    if password is None:
        raise SigningKeyInvalidError(
            "the signing key is encrypted and no password was given",
            hint=f"set {PASSWORD_VARIABLE}, or {PASSWORD_FILE_VARIABLE} to the path of a file that holds the password",
        )
    return password


def _load_der(der: bytes) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        return load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unreadable("what it holds is not a PKCS#8 key of a known kind") from error


def _load_pem(block: PemBlock, password: str | None) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    secret = None if password is None else password.encode("utf-8", "surrogateescape")
    try:
        return load_pem_private_key(block.text.encode("ascii"), password=secret or None)
    except TypeError as error:
        # The library cannot tell an empty password from none.
        raise _unreadable("it is encrypted and the password is empty") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        reason = "it is damaged or of an unknown kind"
        raise _unreadable(reason if password is None else f"the password is wrong, or {reason}") from error


def _unreadable(reason: str) -> SigningKeyInvalidError:
    return SigningKeyInvalidError(
        f"the signing key cannot be read: {reason}",
        hint=f"check the key, and {PASSWORD_VARIABLE} or {PASSWORD_FILE_VARIABLE} when it is encrypted",
    )


def _require_supported(key: PrivateKeyTypes) -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, EllipticCurvePrivateKey):
        if key.curve.name == "secp256r1":
            return key
        found = f"an EC key on {curve_name(key.curve.name)}"
    else:
        found = f"a key of kind {type(key).__name__.removesuffix('PrivateKey')}"
    raise SigningKeyInvalidError(
        f"expected a signing key on P-256 or Ed25519, found {found}",
        hint="make one with `chainloop organization key create`",
    )
