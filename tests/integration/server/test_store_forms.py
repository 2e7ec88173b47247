"""R9, R10: what is stored has one form; what readers could read differently, and what is no bundle, is refused."""

from __future__ import annotations

import base64
import io
import json

import pytest

from chainloop_ci.api.limits import BUNDLE_MEDIA_TYPE
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, encode_pae
from server.wiring import Services
from tests.integration.server.jobs import Job
from tests.integration.server.lies import Document, Lie, assert_refused, count_rows, edited, put
from tests.integration.server.lies import honest as honest


def resigned(job: Job, raw: bytes) -> bytes:
    """Return a bundle over bytes that are no honest statement, well signed."""
    return job.key.bundle(raw)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b'"runnerType":', b'"runnerType":"GENERIC","runnerType":', "json-duplicate-key"),
        (b'"runnerType":', b'"RunnerType":"GENERIC","runnerType":', "json-case-variant"),
        (b'"policyEvaluationsCount":0', b'"policyEvaluationsCount":NaN', "json-constant"),
        (b'"policyEvaluationsCount":0', b'"policyEvaluationsCount":9007199254740993', "json-integer"),
        (b'"ticket":"T-1"', b'"ticket":"\\ud800"', "json-surrogate"),
        (b'"ticket":"T-1"', b'"ticket":' + b"[" * 70 + b"]" * 70, "json-depth"),
    ],
)
def test_r10_a_statement_that_readers_could_read_differently_is_refused(
    services: Services, honest: Job, old: bytes, new: bytes, code: str
) -> None:
    payload = honest.payload()
    assert old in payload
    rows = count_rows(services)

    answer = honest.push(resigned(honest, payload.replace(old, new)))

    assert answer.status_code == 422
    assert code in [finding["code"] for finding in answer.json["findings"]]
    assert honest.api.get(honest.path).json["refusals"][0]["code"] == "statement-invalid"
    assert honest.api.get(honest.path).json["run"]["state"] == "initialized"
    assert count_rows(services) == rows | {"refused_stores": 1, "events": rows["events"] + 1}


def test_r10_unknown_fields_are_ignored(honest: Job) -> None:
    bundle = honest.key.bundle(honest.payload(put("predicate", "fromTheFuture", value={"a": 1})))

    answer = honest.push(bundle)

    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("lie", "path"),
    [
        (put("_type", value="https://in-toto.io/Statement/v0.1"), "/_type"),
        (put("_type", value="https://in-toto.io/Statement/v9"), "/_type"),
        (put("predicateType", value="https://slsa.dev/provenance/v1"), "/predicateType"),
    ],
)
def test_r9_another_kind_of_statement_is_refused(services: Services, honest: Job, lie: Lie, path: str) -> None:
    answer = honest.push(honest.key.bundle(honest.payload(lie)))

    assert answer.status_code == 422
    assert path in [finding["path"] for finding in answer.json["findings"]]
    assert honest.api.get(honest.path).json["run"]["state"] == "initialized"


def doubled(document: Document) -> None:
    signature = document["dsseEnvelope"]["signatures"][0]
    signature["sig"] = base64.b64encode(signature["sig"].encode()).decode()


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        (
            put("mediaType", value="application/vnd.dev.sigstore.bundle+json;version=0.3"),
            "/mediaType",
            "media-type",
        ),
        (put("dsseEnvelope", "payloadType", value="text/plain"), "/dsseEnvelope/payloadType", "payload-type"),
        (
            lambda document: document["dsseEnvelope"]["signatures"].append(document["dsseEnvelope"]["signatures"][0]),
            "/dsseEnvelope/signatures",
            "signature-count",
        ),
        (put("dsseEnvelope", "signatures", value=[]), "/dsseEnvelope/signatures", "signature-count"),
        (doubled, "/dsseEnvelope/signatures/0/sig", "doubled-base64"),
        (put("dsseEnvelope", "payload", value="e30"), "/dsseEnvelope/payload", "base64"),
        (put("verificationMaterial", value={}), "/verificationMaterial", "verification-material"),
    ],
)
def test_r9_only_the_bundle_form_that_is_written_is_stored(
    services: Services, honest: Job, change: Lie, path: str, code: str
) -> None:
    bundle = edited(honest.key.bundle(honest.payload()), change)

    assert_refused(services, honest, bundle, path, code)


def test_r9_a_bare_envelope_is_not_stored(services: Services, honest: Job) -> None:
    envelope = json.loads(honest.key.bundle(honest.payload()))["dsseEnvelope"]

    assert_refused(services, honest, json.dumps(envelope).encode(), "/", "bare-envelope")


def test_r9_what_is_no_bundle_at_all_is_refused(services: Services, honest: Job) -> None:
    answer = honest.push(b"\x00\x01 not json")

    assert answer.status_code == 422
    assert honest.api.get(honest.path).json["refusals"][0]["code"] == "bundle-invalid"


def test_a_tampered_payload_is_refused(services: Services, honest: Job) -> None:
    payload = base64.b64encode(honest.payload(put("predicate", "metadata", "team", value="evil"))).decode()
    bundle = edited(honest.key.bundle(honest.payload()), put("dsseEnvelope", "payload", value=payload))

    answer = assert_refused(services, honest, bundle, "/dsseEnvelope/signatures/0/sig", "signature-invalid")

    assert "does not match the signed bytes" in answer.json["detail"]


def test_an_oversized_bundle_is_refused_with_the_limit(services: Services, honest: Job) -> None:
    answer = honest.push(b" " * (8 * 1024 * 1024 + 1))

    assert answer.status_code == 413
    assert "8388608" in answer.json["detail"]
    assert honest.api.get(honest.path).json["run"]["refusals"] == 0


def test_a_push_that_broke_off_is_no_refusal(services: Services, honest: Job) -> None:
    bundle = honest.key.bundle(honest.payload())
    rows = count_rows(services)

    answer = honest.api.put(
        f"{honest.path}/attestation",
        input_stream=io.BytesIO(bundle[:-10]),
        headers={**honest.headers, "Content-Type": BUNDLE_MEDIA_TYPE},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": str(len(bundle))},
    )

    assert answer.status_code == 422
    assert "broke off" in answer.json["detail"]
    assert count_rows(services) == rows


def test_another_media_type_is_refused(honest: Job) -> None:
    answer = honest.api.put(
        f"{honest.path}/attestation", data=b"{}", headers={**honest.headers, "Content-Type": "application/json"}
    )

    assert answer.status_code == 415


def test_a_signature_over_another_payload_type_is_refused(services: Services, honest: Job) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    payload = honest.payload()
    signature = honest.key.private.sign(encode_pae("text/plain", payload), ec.ECDSA(SHA256()))
    bundle = edited(
        honest.key.bundle(payload),
        put("dsseEnvelope", "signatures", value=[{"sig": base64.b64encode(signature).decode()}]),
    )

    assert PAYLOAD_TYPE in bundle.decode()
    assert_refused(services, honest, bundle, "/dsseEnvelope/signatures/0/sig", "signature-invalid")
