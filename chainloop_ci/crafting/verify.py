"""The use case `verify`: who signed a bundle, and what it says. Works offline."""

from __future__ import annotations

from collections.abc import Sequence

from chainloop_ci.attestation.bundle import Bundle, read_bundle
from chainloop_ci.attestation.reader import read_statement
from chainloop_ci.attestation.verification import PublicKey, check_signature
from chainloop_ci.attestation.view import StatementView
from chainloop_ci.digests import Digest
from chainloop_ci.records import record


@record
class Verdict:
    """A bundle whose signature holds."""

    bundle: Bundle
    key_id: Digest
    statement: StatementView


def verify(raw: bytes, keys: Sequence[PublicKey]) -> Verdict:
    """Verify the bundle or envelope in `raw`, leniently read (R9), with any of `keys`.

    Raises:
        BundleInvalidError, StatementInvalidError: it is no attestation.
        SignatureInvalidError, SignerNotTrustedError, NothingToVerifyError: it is not proven who signed it.
    """
    bundle = read_bundle(raw)
    signer = check_signature(bundle, keys)
    return Verdict(bundle, signer.key_id, read_statement(bundle.payload))
