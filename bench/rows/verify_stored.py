"""Stored bundles read and verified, per second of one core, against bare P-256 of the same bytes.

Ours reads each bundle strictly, checks the form of its envelope and its signature. Goal: at least 0.6 times the rate.
"""

from __future__ import annotations

import json
import time

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from bench.harness import Row, Settings, measure, row
from chainloop_ci.attestation.bundle import read_bundle_strict, render_bundle
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, encode_pae
from chainloop_ci.attestation.verification import check_signature
from chainloop_ci.signing.public_keys import wrap_public_key

BUNDLES = 2000
PAYLOAD_BYTES = 2000


def run(settings: Settings) -> list[Row]:
    """Return the row."""
    private = ec.generate_private_key(ec.SECP256R1())
    public, known = private.public_key(), wrap_public_key(private.public_key())
    payloads = [_payload(number) for number in range(BUNDLES)]
    signed = [(encode_pae(PAYLOAD_TYPE, payload), payload) for payload in payloads]
    signatures = [(private.sign(pae, ec.ECDSA(SHA256())), pae, payload) for pae, payload in signed]
    bundles = [render_bundle(payload, signature, known.hint) for signature, _, payload in signatures]

    def ours() -> float:
        start = time.process_time()
        for raw in bundles:
            check_signature(read_bundle_strict(raw), [known])
        return BUNDLES / (time.process_time() - start)

    def bare() -> float:
        start = time.process_time()
        for signature, pae, _ in signatures:
            public.verify(signature, pae, ec.ECDSA(SHA256()))
        return BUNDLES / (time.process_time() - start)

    pairs = measure(settings.rounds(), ours, bare)
    what = f"bundles of {PAYLOAD_BYTES} bytes read and verified, per core / bare P-256"
    return [row("verify-stored", what, 0.6, pairs, "per s", at_least=True)]


def _payload(number: int) -> bytes:
    document: dict[str, object] = {"_type": "https://in-toto.io/Statement/v1", "number": number, "subject": []}
    room = PAYLOAD_BYTES - len(json.dumps({**document, "filler": ""}))
    return json.dumps({**document, "filler": "x" * room}).encode()
