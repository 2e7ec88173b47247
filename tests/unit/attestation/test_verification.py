from __future__ import annotations

from dataclasses import replace

import pytest

from chainloop_ci.attestation.bundle import Bundle, pae, read_bundle, render_bundle
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, Signature, encode_pae
from chainloop_ci.attestation.verification import check_signature
from chainloop_ci.errors import NothingToVerifyError, SignatureInvalidError, SignerNotTrustedError
from tests.unit.attestation.states import MacKey

ANN, BOB, EVE = MacKey(b"ann"), MacKey(b"bob"), MacKey(b"eve")
PAYLOAD = b'{"_type":"x"}'


def signed(key: MacKey, *, hint: str | None = None, payload: bytes = PAYLOAD) -> Bundle:
    signature = key.sign(encode_pae(PAYLOAD_TYPE, payload))
    return read_bundle(render_bundle(payload, signature, key.hint if hint is None else hint))


def test_a_signature_by_a_given_key_holds() -> None:
    assert check_signature(signed(ANN), [BOB, ANN]) == ANN


@pytest.mark.parametrize("hint", ["", "anything", BOB.hint, EVE.hint])
def test_a_hint_never_keeps_a_key_from_being_tried(hint: str) -> None:
    assert check_signature(signed(ANN, hint=hint), [ANN]) == ANN


def test_a_key_id_never_keeps_a_key_from_being_tried() -> None:
    bundle = signed(ANN)
    named = replace(bundle, signatures=(Signature(bundle.signatures[0].value, "somebody else"),))

    assert check_signature(named, [ANN]) == ANN


def test_one_good_signature_among_strangers_is_enough() -> None:
    bundle = signed(ANN)
    mixed = replace(bundle, signatures=(Signature(b"\x00stranger"), *bundle.signatures))

    assert check_signature(mixed, [ANN]) == ANN


def test_t22_no_signature_is_nothing_to_verify() -> None:
    with pytest.raises(NothingToVerifyError, match="no signature"):
        check_signature(replace(signed(ANN), signatures=()), [ANN])


def test_no_key_is_nothing_to_verify() -> None:
    with pytest.raises(NothingToVerifyError, match="no public key"):
        check_signature(signed(ANN), [])


def test_changed_bytes_under_a_given_key_s_hint_are_an_invalid_signature() -> None:
    tampered = replace(signed(ANN), payload=PAYLOAD + b" ")

    with pytest.raises(SignatureInvalidError, match="does not match the signed bytes"):
        check_signature(tampered, [BOB, ANN])


@pytest.mark.parametrize("hint", ["", "a hint of somebody's own", "QUJD"])
def test_a_signature_that_names_nobody_we_can_compare_with_is_invalid(hint: str) -> None:
    with pytest.raises(SignatureInvalidError):
        check_signature(signed(EVE, hint=hint), [ANN])


def test_a_hint_of_another_key_is_a_signer_that_is_not_trusted() -> None:
    with pytest.raises(SignerNotTrustedError) as caught:
        check_signature(signed(EVE), [ANN, BOB])

    assert all(key.key_id in caught.value.message for key in (ANN, BOB, EVE))


@pytest.mark.parametrize("keys", [[], [ANN]])
def test_a_certificate_that_nobody_here_trusts_is_a_signer_that_is_not_trusted(keys: list[MacKey]) -> None:
    certified = replace(signed(EVE, hint=""), certificate=b"der")

    with pytest.raises(SignerNotTrustedError, match="signed by a certificate that nobody here trusts"):
        check_signature(certified, keys)


def test_t21_a_signature_over_another_payload_type_is_invalid() -> None:
    other = "application/vnd.other+json"
    bundle = replace(signed(ANN), payload_type=other, signatures=(Signature(ANN.sign(encode_pae(other, PAYLOAD))),))

    with pytest.raises(SignatureInvalidError, match=r"expected a signature over application/vnd\.in-toto\+json"):
        check_signature(bundle, [ANN])


@pytest.mark.parametrize(
    "message",
    [
        PAYLOAD,
        PAYLOAD_TYPE.encode() + PAYLOAD,
        b"DSSEv1 28 application/vnd.in-toto+json 13" + PAYLOAD,
        b"DSSEv1 028 application/vnd.in-toto+json 13 " + PAYLOAD,
        b"DSSEv1 28 application/vnd.in-toto+json 14 " + PAYLOAD,
        b"DSSEv2 28 application/vnd.in-toto+json 13 " + PAYLOAD,
        b"dssev1 28 application/vnd.in-toto+json 13 " + PAYLOAD,
        b"DSSEv1 10 text/plain 13 " + PAYLOAD,
        b"DSSEv1 0  13 " + PAYLOAD,
        encode_pae(PAYLOAD_TYPE, PAYLOAD) + b"\n",
        encode_pae(PAYLOAD_TYPE, PAYLOAD)[:-1],
        encode_pae(PAYLOAD_TYPE.upper(), PAYLOAD),
    ],
)
def test_t21_a_signature_over_anything_but_the_exact_encoding_is_invalid(message: bytes) -> None:
    bundle = replace(signed(ANN), signatures=(Signature(ANN.sign(message)),))
    assert message != pae(bundle)

    with pytest.raises(SignatureInvalidError):
        check_signature(bundle, [ANN])
