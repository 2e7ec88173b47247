from __future__ import annotations

import pytest

from chainloop_ci.errors import UsageError
from chainloop_ci.signing.generate import SIGNING_ALGORITHMS, generate_key
from chainloop_ci.signing.keys import load_signing_key
from chainloop_ci.signing.public_keys import KeyAlgorithm, load_public_key


@pytest.mark.parametrize("algorithm", SIGNING_ALGORITHMS)
@pytest.mark.parametrize("password", [None, "", "pässword"])
def test_a_pair_that_was_made_signs_and_verifies(algorithm: KeyAlgorithm, password: str | None) -> None:
    private, public = generate_key(algorithm, password)

    signer = load_signing_key(private, read_password=lambda: password, env={})

    assert load_public_key(public.encode()) == signer.public_key
    assert signer.public_key.algorithm is algorithm
    assert load_public_key(public.encode()).verify(signer.sign(b"message"), b"message")


def test_a_password_makes_cosign_s_form() -> None:
    assert generate_key(password="x")[0].startswith("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----")
    assert generate_key()[0].startswith("-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.RSA, KeyAlgorithm.ECDSA_P384])
def test_an_algorithm_that_is_only_verified_is_refused(algorithm: KeyAlgorithm) -> None:
    with pytest.raises(UsageError, match="expected one of"):
        generate_key(algorithm)
