"""Stored bundles read and verified, per second of one core, against bare P-256 of the same bytes.

Ours reads each bundle strictly, checks the form of its envelope and its signature with the one key that it names. The
bundles of `verify-stored` are what `attestation push` writes, as nearly all that are stored are: one comparison tells
that. Those of `verify-foreign` are what `cosign attest-blob` writes with a key and without a log: they are read field
by field. Goal of both: at least 0.6 times the rate.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from functools import partial

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from bench.harness import Row, Settings, measure, row
from chainloop_ci.attestation.bundle import read_bundle_strict, render_bundle
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, encode_pae
from chainloop_ci.attestation.verification import check_signature
from chainloop_ci.signing.public_keys import PublicKey, wrap_public_key

BUNDLES = 2000
PAYLOAD_BYTES = 2000
GOAL = 0.6


def run(settings: Settings) -> list[Row]:
    """Return the two rows."""
    private = ec.generate_private_key(ec.SECP256R1())
    public, known = private.public_key(), wrap_public_key(private.public_key())
    payloads = [_payload(number) for number in range(BUNDLES)]
    signed = [(encode_pae(PAYLOAD_TYPE, payload), payload) for payload in payloads]
    signatures = [(private.sign(pae, ec.ECDSA(SHA256())), pae, payload) for pae, payload in signed]
    bundles = [render_bundle(payload, signature, known.hint) for signature, _, payload in signatures]

    def bare() -> None:
        for signature, pae, _ in signatures:
            public.verify(signature, pae, ec.ECDSA(SHA256()))

    rows = []
    for name, whose, found in (("stored", "our", bundles), ("foreign", "cosign's", [*map(as_cosign_writes, bundles)])):
        what = f"bundles of {PAYLOAD_BYTES} bytes in {whose} form read and verified, per core / bare P-256"
        pairs = measure(settings.rounds(), _per_second(partial(_verify, found, known)), _per_second(bare))
        rows.append(row(f"verify-{name}", what, GOAL, pairs, "per s", at_least=True))
    return rows


def as_cosign_writes(bundle: bytes) -> bytes:
    """Return one of our bundles in the form of cosign 3.1, which leaves out an empty list of log entries."""
    document = json.loads(bundle)
    del document["verificationMaterial"]["tlogEntries"]
    return json.dumps(document, separators=(",", ":")).encode()


def _verify(bundles: Sequence[bytes], key: PublicKey) -> None:
    for raw in bundles:
        check_signature(read_bundle_strict(raw), [key])


def _per_second(verify_all: Callable[[], None]) -> Callable[[], float]:
    def measured() -> float:
        start = time.process_time()
        verify_all()
        return BUNDLES / (time.process_time() - start)

    return measured


def _payload(number: int) -> bytes:
    document: dict[str, object] = {"_type": "https://in-toto.io/Statement/v1", "number": number, "subject": []}
    room = PAYLOAD_BYTES - len(json.dumps({**document, "filler": ""}))
    return json.dumps({**document, "filler": "x" * room}).encode()
