"""Who signed a bundle: the pure part of verification. Keys come in as objects that can check a signature.

Three ways to fail, because the reader has to do different things about each (exit codes 7, 8, 9):

- *nothing to verify*: there is no signature, or no key to check it with. Never a success.
- *signer not trusted*: somebody signed, but none of the given keys is theirs: the bundle carries a certificate, or its
  hint names another key.
- *signature invalid*: the bundle names a given key, or nobody, and no given key confirms the bytes: bytes or signature
  were changed, or an unnamed stranger signed. The two cannot be told apart, so the worse is said.

A hint is not signed and proves nothing: every key is tried against every signature first, and the hint only chooses the
words of the refusal. It can turn «invalid» into «not trusted» or back, never either into a success.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence
from typing import Protocol, TypeVar

from chainloop_ci.attestation.bundle import Bundle, pae
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE
from chainloop_ci.digests import Digest, digest_of_hex
from chainloop_ci.errors import NothingToVerifyError, SignatureInvalidError, SignerNotTrustedError


class PublicKey(Protocol):
    """A key that checks signatures; `signing.public_keys` makes them."""

    @property
    def key_id(self) -> Digest:
        """Return `sha256:` of the key's SPKI DER."""

    @property
    def hint(self) -> str:
        """Return base64 of sha256 of the key's SPKI DER, as bundles write it."""

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether this key made `signature` over `message`; malformed signatures are simply not."""


K = TypeVar("K", bound=PublicKey)


def check_signature(bundle: Bundle, public_keys: Sequence[K]) -> K:
    """Return the key that confirms one of the bundle's signatures.

    Raises:
        NothingToVerifyError: no signature, or no key.
        SignerNotTrustedError: signed by somebody whom none of the keys is.
        SignatureInvalidError: bytes or signature were changed, or the bytes were signed as something else.
    """
    if not bundle.signatures:
        raise NothingToVerifyError("the bundle holds no signature", hint="attest again with a signing key")
    if not public_keys and bundle.certificate is None:
        raise NothingToVerifyError(
            "no public key was given to check the signature with",
            hint="give the signer's public key with --key: a file, env://NAME, PEM text, or base64 of it",
        )
    if bundle.payload_type != PAYLOAD_TYPE:
        raise SignatureInvalidError(
            f"expected a signature over {PAYLOAD_TYPE}, found one over {bundle.payload_type[:120]!r}"
        )
    message = pae(bundle)
    for signature in bundle.signatures:
        for key in public_keys:
            if key.verify(signature.value, message):
                return key
    raise _refusal(bundle, public_keys)


def _refusal(bundle: Bundle, keys: Sequence[PublicKey]) -> SignerNotTrustedError | SignatureInvalidError:
    given = ", ".join(key.key_id for key in keys) or "none"
    if bundle.certificate is not None:
        return SignerNotTrustedError(
            f"signed by a certificate that nobody here trusts; public keys given: {given}",
            hint="verify it with a tool that trusts the certificate's authority",
        )
    named = key_id_of_hint(bundle.hint)
    if named and named not in {key.key_id for key in keys}:
        return SignerNotTrustedError(
            f"expected a signature by {given}, found one that says it is by {named}",
            hint="give the public key of that signer, if you trust it",
        )
    return SignatureInvalidError(
        f"the signature does not match the signed bytes; public keys tried: {given}",
        hint="the file was changed after signing, or somebody else signed it: fetch it again from where it was stored",
    )


def key_id_of_hint(hint: str | None) -> Digest | None:
    """Return the key that a hint names, or None when the hint is in a form of somebody else's."""
    try:
        raw = b64decode(hint or "", validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest_of_hex(raw.hex()) if len(raw) == 32 else None
