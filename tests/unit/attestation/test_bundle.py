from __future__ import annotations

import base64
import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.attestation.bundle import (
    MEDIA_TYPE,
    OLDER_MEDIA_TYPES,
    pae,
    read_bundle,
    read_bundle_strict,
    render_bundle,
)
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, Signature
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import BundleInvalidError, ChainloopError, LimitExceededError

PAYLOAD = b'{"_type":"x"}'
SIGNATURE = b"0E\x02!\x00signature"
RAW = render_bundle(PAYLOAD, SIGNATURE, "hint")


def document() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(RAW)
    return parsed


def raw(changed: object) -> bytes:
    return json.dumps(changed).encode()


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def strict_codes(changed: object, **options: bool) -> list[str]:
    with pytest.raises(BundleInvalidError) as caught:
        read_bundle_strict(raw(changed), **options)
    return [finding.code for finding in caught.value.findings]


def test_a_bundle_is_rendered_as_cosign_reads_it() -> None:
    assert RAW == (
        b'{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",'
        b'"verificationMaterial":{"publicKey":{"hint":"hint"},"tlogEntries":[]},'
        b'"dsseEnvelope":{"payload":"eyJfdHlwZSI6IngifQ==","payloadType":"application/vnd.in-toto+json",'
        b'"signatures":[{"sig":"MEUCIQBzaWduYXR1cmU="}]}}'
    )


def test_what_is_rendered_is_read_at_both_doors() -> None:
    bundle = read_bundle_strict(RAW)

    assert bundle == read_bundle(RAW)
    assert (bundle.payload, bundle.payload_type, bundle.hint) == (PAYLOAD, PAYLOAD_TYPE, "hint")
    assert (bundle.signatures, bundle.certificate, bundle.deviations) == ((Signature(SIGNATURE),), None, ())
    assert (bundle.raw, bundle.digest) == (RAW, sha256_digest(RAW))
    assert pae(bundle) == b"DSSEv1 28 application/vnd.in-toto+json 13 " + PAYLOAD


def judged(changed: dict[str, Any]) -> object:
    try:
        bundle = read_bundle_strict(raw(changed))
    except BundleInvalidError as refused:
        return refused.findings
    return replace(bundle, raw=b"", digest=sha256_digest(b""))


@pytest.mark.parametrize("place", ["hint", "payload", "sig"])
@pytest.mark.parametrize(
    "value", ["", "x", "eA==", "eA=", "ZUE9PQ==", "_-8=", "h" * 256, "h" * 260, "é", 7, None, ["eA=="]]
)
def test_r9_the_form_that_is_written_is_judged_like_any_other(place: str, value: object) -> None:
    written = document()
    holders = {
        "hint": written["verificationMaterial"]["publicKey"],
        "payload": written["dsseEnvelope"],
        "sig": written["dsseEnvelope"]["signatures"][0],
    }
    holders[place][place] = value
    other = deepcopy(written)
    del other["verificationMaterial"]["tlogEntries"]

    assert judged(written) == judged(other)


def test_the_bytes_are_kept_as_they_came() -> None:
    spaced = json.dumps(document(), indent=3).encode() + b"\n"

    assert read_bundle_strict(spaced).raw == spaced
    assert read_bundle_strict(spaced).digest != sha256_digest(RAW)


def test_r9_a_bundle_of_the_go_product_signed_by_a_key_is_read(corpus: Path) -> None:
    bundle = read_bundle((corpus / "go-product" / "bundle-key.json").read_bytes())

    assert (bundle.hint, bundle.certificate, len(bundle.signatures)) == (None, None, 1)


def test_r9_a_bundle_of_the_go_product_signed_by_a_certificate_is_read(corpus: Path) -> None:
    bundle = read_bundle((corpus / "go-product" / "bundle-file-ca.json").read_bytes())

    assert bundle.certificate is not None
    assert bundle.certificate.startswith(b"\x30\x82")
    assert bundle.digest == "sha256:b5efe698459768756fa684320e6fc49192c6634b640a4f241c4e421f540ac811"


def test_r9_a_bare_envelope_is_read_from_a_file_and_not_stored() -> None:
    envelope = document()["dsseEnvelope"]

    assert read_bundle(raw(envelope)).payload == PAYLOAD
    assert read_bundle(raw(envelope)).media_type == ""
    assert "bare-envelope" in strict_codes(envelope)


@pytest.mark.parametrize("media_type", OLDER_MEDIA_TYPES)
def test_r9_older_media_types_are_read_from_a_file_and_not_stored(media_type: str) -> None:
    changed = document() | {"mediaType": media_type}

    assert read_bundle(raw(changed)).media_type == media_type
    assert strict_codes(changed) == ["media-type"]


def test_r9_an_empty_verification_material_is_read_from_a_file_and_not_stored() -> None:
    changed = document() | {"verificationMaterial": {}}

    assert read_bundle(raw(changed)).hint is None
    assert strict_codes(changed) == ["verification-material"]


def test_r9_a_signature_that_was_encoded_twice_is_read_from_a_file_and_not_stored() -> None:
    changed = document()
    changed["dsseEnvelope"]["signatures"][0]["sig"] = b64(b64(SIGNATURE).encode())

    assert read_bundle(raw(changed)).signatures == (Signature(SIGNATURE),)
    assert strict_codes(changed) == ["doubled-base64"]


def test_r9_url_safe_base64_is_read_from_a_file_and_not_stored() -> None:
    changed = document()
    changed["dsseEnvelope"]["signatures"][0]["sig"] = base64.urlsafe_b64encode(b"\xfb\xff\xbe").decode()

    assert read_bundle(raw(changed)).signatures == (Signature(b"\xfb\xff\xbe"),)
    assert strict_codes(changed) == ["base64"]


def test_a_key_id_is_kept_as_a_hint() -> None:
    changed = document()
    changed["dsseEnvelope"]["signatures"][0]["keyid"] = "someone"

    assert read_bundle(raw(changed)).signatures == (Signature(SIGNATURE, "someone"),)


def test_a_certificate_of_an_older_chain_is_kept() -> None:
    chain = {"certificates": [{"rawBytes": b64(b"leaf")}, {"rawBytes": b64(b"root")}]}
    changed = document() | {"verificationMaterial": {"x509CertificateChain": chain}}

    assert read_bundle(raw(changed)).certificate == b"leaf"


@pytest.mark.parametrize("signatures", [[], [{"sig": ""}], [{}]])
def test_r4_a_bundle_without_signature_is_stored_only_where_that_is_allowed(signatures: list[object]) -> None:
    changed = document()
    changed["dsseEnvelope"]["signatures"] = signatures

    assert read_bundle(raw(changed)).signatures == ()
    assert "signature-count" in strict_codes(changed)


def test_r4_a_stripped_signature_is_accepted_under_the_setting_of_the_organization() -> None:
    changed = document()
    del changed["dsseEnvelope"]["signatures"]

    assert read_bundle_strict(raw(changed), allow_unsigned=True).signatures == ()


@pytest.mark.parametrize("count", [2, 3])
def test_t22_more_than_one_signature_is_not_stored(count: int) -> None:
    changed = document()
    changed["dsseEnvelope"]["signatures"] *= count

    assert strict_codes(changed) == ["signature-count"]
    assert strict_codes(changed, allow_unsigned=True) == ["signature-count"]


@pytest.mark.parametrize(
    "payload_type",
    [
        "",
        "text/plain",
        "application/vnd.in-toto+json ",
        "application/vnd.in-toto+JSON",
        "application/vnd.in-toto+json;v=1",
    ],
)
def test_t21_another_payload_type_is_not_stored(payload_type: str) -> None:
    changed = document()
    changed["dsseEnvelope"]["payloadType"] = payload_type

    assert strict_codes(changed) == ["payload-type"]


def test_r9_all_that_is_wrong_is_listed_at_once() -> None:
    changed = document() | {"mediaType": OLDER_MEDIA_TYPES[0], "verificationMaterial": {}, "extra": 1}
    changed["dsseEnvelope"]["payloadType"] = "text/plain"
    changed["dsseEnvelope"]["signatures"] *= 2

    assert strict_codes(changed) == [
        "media-type",
        "unknown-field",
        "verification-material",
        "payload-type",
        "signature-count",
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"mediaType": "application/vnd.dev.sigstore.bundle.v0.4+json"}, "media-type"),
        ({"mediaType": 3}, "invalid-field"),
        ({"dsseEnvelope": None}, "missing-field"),
        ({"dsseEnvelope": []}, "invalid-field"),
        ({"dsseEnvelope": {"payload": "", "payloadType": PAYLOAD_TYPE}}, "missing-field"),
        ({"dsseEnvelope": {"payload": "YR==", "payloadType": PAYLOAD_TYPE}}, "base64"),
        ({"dsseEnvelope": {"payload": "YQ==", "signatures": {}}}, "invalid-field"),
        ({"dsseEnvelope": {"payload": "YQ==", "signatures": [{"sig": "!"}]}}, "base64"),
        ({"dsseEnvelope": {"payload": "YQ==", "signatures": [None]}}, "invalid-field"),
        ({"messageSignature": {"signature": "YQ=="}}, "invalid-field"),
        ({"payload": "YQ=="}, "invalid-field"),
        ({"verificationMaterial": {"certificate": {"rawBytes": "!"}}}, "base64"),
        ({"verificationMaterial": []}, "invalid-field"),
    ],
)
def test_what_is_no_bundle_is_refused_at_both_doors(change: dict[str, object], code: str) -> None:
    changed = raw(document() | change)

    for read in (read_bundle, read_bundle_strict):
        with pytest.raises(BundleInvalidError) as caught:
            read(changed)
        assert code in [finding.code for finding in caught.value.findings]


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"not json", b"\xff\xfe{\x00}\x00", b"-----BEGIN"])
def test_a_file_that_is_something_else_is_refused(content: bytes) -> None:
    with pytest.raises(BundleInvalidError, match="not a bundle"):
        read_bundle(content)


def test_t24_a_second_payload_under_the_same_key_is_refused_at_both_doors() -> None:
    doubled = RAW.replace(b'"payload":', b'"payload":"YQ==","payload":', 1)
    variant = RAW.replace(b'"payload":', b'"Payload":"YQ==","payload":', 1)

    for changed in (doubled, variant):
        for read in (read_bundle, read_bundle_strict):
            with pytest.raises(BundleInvalidError, match="payload"):
                read(changed)


def test_a_bundle_over_the_limit_is_refused() -> None:
    with pytest.raises(LimitExceededError):
        read_bundle(RAW, max_bytes=len(RAW) - 1)


def test_the_media_type_that_is_written_is_the_one_that_is_stored() -> None:
    assert read_bundle_strict(RAW).media_type == MEDIA_TYPE


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_refused(content: bytes) -> None:
    for read in (read_bundle, read_bundle_strict):
        try:
            read(content)
        except ChainloopError as error:
            assert error.message


@given(st.data())
def test_a_mutated_bundle_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(RAW)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[position] = data.draw(st.integers(0, 255))
        else:
            del content[position : position + data.draw(st.integers(1, 20))]

    for read in (read_bundle, read_bundle_strict):
        try:
            read(bytes(content))
        except ChainloopError as error:
            assert error.message


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "YQ==", "!", MEDIA_TYPE, PAYLOAD_TYPE]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "dsseEnvelope",
                    "payload",
                    "signatures",
                    "sig",
                    "mediaType",
                    "verificationMaterial",
                    "certificate",
                    "hint",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(_json)
def test_any_json_is_read_or_refused(content: object) -> None:
    for read in (read_bundle, read_bundle_strict):
        try:
            read(raw(content))
        except ChainloopError as error:
            assert error.message


@pytest.mark.parametrize("place", ["envelope", "signature"])
def test_r9_an_extra_field_inside_the_envelope_is_read_from_a_file_and_not_stored(place: str) -> None:
    changed = document()
    envelope = changed["dsseEnvelope"]
    (envelope if place == "envelope" else envelope["signatures"][0])["extra"] = 1

    assert read_bundle(raw(changed)).payload == PAYLOAD
    assert strict_codes(changed) == ["unknown-field"]


def test_r9_a_hint_beside_a_certificate_is_not_stored() -> None:
    changed = document()
    changed["verificationMaterial"]["certificate"] = {"rawBytes": b64(b"DER")}

    assert read_bundle(raw(changed)).hint == "hint"
    assert strict_codes(changed) == ["verification-material"]
