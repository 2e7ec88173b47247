"""THE envelope table: each way to spoil a bundle, and what `store`, `verify` and `describe` make of it (R9, R10).

Threats T21 (what is signed), T22 (signatures), T23 (base64), T24 (JSON). Leniency (bare envelope, older media types,
base64 in two alphabets or twice) is for files; the store takes one form only.
"""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from chainloop_ci.attestation.bundle import OLDER_MEDIA_TYPES
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, encode_pae
from tests.integration.envelope import (
    SHOWN,
    STORED,
    Attested,
    Document,
    Refused,
    Row,
    Shown,
    b64,
    change,
    drop,
    dump,
    encoded,
    leniently,
    nowhere,
    signatures,
    text,
    typed,
    unproven,
)
from tests.integration.envelope_json_rows import JSON, SIZE

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

DSSE_VECTOR = b"""\
{"payload": "aGVsbG8gd29ybGQ=",
 "payloadType": "http://example.com/HelloWorld",
 "signatures": [{"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]}
"""
"""Published with the protocol: DSSE v1.0, `protocol.md`, «Test Vectors»."""

DSSE = "dsseEnvelope"
SIG = (DSSE, "signatures", 0, "sig")
MATERIAL = "verificationMaterial"
HINT = (MATERIAL, "publicKey", "hint")


def _again(raw: bytes) -> str:
    return b64(b64(raw).encode("ascii"))


def _flip(position: int) -> Callable[[str], str]:
    def edit(old: str) -> str:
        raw = bytearray(b64decode(old))
        raw[position] ^= 0x01
        return b64(bytes(raw))

    return edit


def _other_bits(old: str) -> str:
    """Set a bit that no byte uses: `YQ==` and `YR==` stand for the same byte when nobody looks."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = old.rstrip("=")
    assert body != old
    return body[:-1] + alphabet[alphabet.index(body[-1]) ^ 1] + old[len(body) :]


def _url_safe(honest: Attested) -> bytes:
    document = honest.document(honest.with_member('"x":"~~~???~~~???"'))
    old = document[DSSE]["payload"]
    document[DSSE]["payload"] = old.replace("+", "-").replace("/", "_")
    assert old != document[DSSE]["payload"]
    return dump(document)


def _mixed_alphabets(honest: Attested) -> bytes:
    document = honest.document(honest.with_member('"x":"~~~???~~~???"'))
    document[DSSE]["payload"] = document[DSSE]["payload"].replace("+", "-", 1)
    assert {"+", "-"} <= set(document[DSSE]["payload"])
    return dump(document)


def _numbers(honest: Attested, one: Document) -> tuple[int, int]:
    return decode_dss_signature(b64decode(one["sig"]))


def _negated(honest: Attested, one: Document) -> list[Document]:
    r, s = _numbers(honest, one)
    return [{"sig": b64(encode_dss_signature(r, P256_ORDER - s))}]


def _raw_numbers(honest: Attested, one: Document) -> list[Document]:
    r, s = _numbers(honest, one)
    return [{"sig": b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))}]


def _long_lengths(honest: Attested, one: Document) -> list[Document]:
    raw = b64decode(one["sig"])
    return [{"sig": b64(raw[:1] + b"\x81" + raw[1:])}]


def _signed_raw(honest: Attested, _: Document) -> list[Document]:
    return [{"sig": b64(honest.sign_raw(honest.payload))}]


def _named_as_stranger(honest: Attested) -> bytes:
    document = honest.document()
    other = Attested(honest.payload, private=honest.stranger)
    document[DSSE]["signatures"][0]["sig"] = b64(other.sign())
    document[MATERIAL]["publicKey"]["hint"] = other.public.hint
    return dump(document)


def _bare(honest: Attested) -> bytes:
    return dump(honest.document()[DSSE])


BASE64 = (
    *(
        nowhere(f"payload with {name}", encoded(edit), "base64")
        for name, edit in {
            "a line break at its end": lambda old: old + "\n",
            "a space at its front": lambda old: " " + old,
            "a space inside": lambda old: old[:8] + " " + old[8:],
            "lines as in PEM": lambda old: "\r\n".join(old[i : i + 76] for i in range(0, len(old), 76)),
            "a tab inside": lambda old: old[:8] + "\t" + old[8:],
            "a foreign character": lambda old: old[:8] + "!" + old[8:],
            "a NUL": lambda old: old[:8] + "\x00" + old[8:],
            "a letter that is no ASCII": lambda old: old[:8] + "\uff21" + old[9:],
            "a fullwidth twin of its first letter": lambda old: chr(ord(old[0]) + 0xFEE0) + old[1:],
            "one character less": lambda old: old[:-1] if "=" not in old else old.rstrip("=")[:-1],
            "padding inside": lambda old: old[:4] + "==" + old[4:],
            "something behind its padding": lambda old: old.rstrip("=") + "==YQ==",
            "an escape of percent": lambda old: old + "%3D",
        }.items()
    ),
    nowhere("payload without its padding", encoded(lambda old: old.rstrip("="), remainder=1), "base64"),
    nowhere("payload with half of its padding", encoded(lambda old: old[:-1], remainder=1), "base64"),
    nowhere("payload with too much padding", encoded(lambda old: old + "=", remainder=1), "base64"),
    nowhere("payload with padding that is not needed", encoded(lambda old: old + "====", remainder=0), "base64"),
    nowhere("payload with other trailing bits", encoded(_other_bits, remainder=1), "base64"),
    nowhere("payload with other trailing bits of two bytes", encoded(_other_bits, remainder=2), "base64"),
    nowhere("payload in both alphabets", _mixed_alphabets, "base64"),
    leniently("payload in the URL-safe alphabet", _url_safe, "base64"),
    Row(
        "payload encoded twice",
        encoded(lambda old: b64(old.encode())),
        Refused("signature-invalid"),
        7,
        Refused("json-syntax"),
    ),
    nowhere("payload that is empty", change(DSSE, "payload", to=""), "missing-field"),
    nowhere("payload that is padding only", change(DSSE, "payload", to="===="), "base64"),
    nowhere("payload that is null", change(DSSE, "payload", to=None), "missing-field"),
    nowhere("payload that is a number", change(DSSE, "payload", to=7), "invalid-field"),
    nowhere("payload that is an array of bytes", change(DSSE, "payload", to=[123, 125]), "invalid-field"),
    nowhere("no payload", drop(DSSE, "payload"), "missing-field"),
    nowhere("signature with a line break", change(*SIG, to=lambda old: old + "\n"), "base64"),
    nowhere("signature with a space inside", change(*SIG, to=lambda old: old[:8] + " " + old[8:]), "base64"),
    nowhere("signature with a foreign character", change(*SIG, to=lambda old: "!" + old), "base64"),
    nowhere("signature that is a number", change(*SIG, to=7), "invalid-field"),
    leniently("signature encoded twice", change(*SIG, to=lambda old: b64(old.encode())), "doubled-base64"),
    leniently(
        "signature encoded twice in the URL-safe alphabet",
        change(*SIG, to=lambda old: b64(urlsafe_b64encode(b64decode(old)))),
        "doubled-base64",
    ),
    unproven(
        "signature encoded three times",
        change(*SIG, to=lambda old: _again(old.encode())),
        deviation="doubled-base64",
        store="doubled-base64",
    ),
)

WHAT_IS_SIGNED = (
    Row("the honest bundle", lambda honest: dump(honest.document()), STORED, 0, SHOWN),
    Row("the vector of the DSSE protocol", lambda _: DSSE_VECTOR, Refused("payload-type"), 7, Refused("json-syntax")),
    *(
        unproven(f"type {shown!r}, signature over the right one", typed(shown), deviation="payload-type",
                 store="payload-type")
        for shown in ("application/json", PAYLOAD_TYPE.upper(), f"{PAYLOAD_TYPE} ", f"{PAYLOAD_TYPE}\x00", "", None)
    ),
    *(
        unproven(f"type {shown!r}, signature over it", typed(shown, signed_as=shown), deviation="payload-type",
                 store="payload-type")
        for shown in (
            "application/json",
            "application/vnd.in-toto",
            "application/vnd.in-toto+jsom",
            "Application/vnd.in-toto+json",
            f"{PAYLOAD_TYPE}; charset=utf-8",
            f"{PAYLOAD_TYPE};",
            f" {PAYLOAD_TYPE}",
            f"{PAYLOAD_TYPE}\n",
            "application/vnd.in-toto%2Bjson",
            "http://example.com/HelloWorld",
            "",
        )
    ),
    nowhere("type that is a number", typed(28), "invalid-field"),
    nowhere("type that is an array", typed([PAYLOAD_TYPE]), "invalid-field"),
    unproven("no type", drop(DSSE, "payloadType"), deviation="payload-type", store="payload-type"),
    unproven("signature over the payload alone", signatures(_signed_raw)),
    unproven("signature over the base64 of the payload", signatures(
        lambda honest, _: [{"sig": b64(honest.sign_raw(b64(honest.payload).encode()))}])),
    unproven("signature over an encoding with a leading zero", signatures(
        lambda honest, _: [{"sig": b64(honest.sign_raw(
            encode_pae(PAYLOAD_TYPE, honest.payload).replace(b" 28 ", b" 028 ", 1)))}])),
    unproven("signature over another version of the encoding", signatures(
        lambda honest, _: [{"sig": b64(honest.sign_raw(
            encode_pae(PAYLOAD_TYPE, honest.payload).replace(b"DSSEv1", b"DSSEv2", 1)))}])),
    unproven("signature over another statement", signatures(
        lambda honest, _: [{"sig": b64(honest.sign(honest.with_member('"x":1')))}])),
    unproven("payload with one more space at its end", change(
        DSSE, "payload", to=lambda old: b64(b64decode(old) + b" "))),
)  # fmt: skip

SIGNATURES = (
    Row("no signatures", change(DSSE, "signatures", to=[]), Refused("signature-count"), 9, SHOWN),
    Row("signatures left out", drop(DSSE, "signatures"), Refused("signature-count"), 9, SHOWN),
    Row("signatures that are null", change(DSSE, "signatures", to=None), Refused("signature-count"), 9, SHOWN),
    nowhere("signatures that are an object", change(DSSE, "signatures", to={"sig": "YQ=="}), "invalid-field"),
    nowhere("a signature that is a text", change(DSSE, "signatures", 0, to="YQ=="), "invalid-field"),
    nowhere("a signature that is null", change(DSSE, "signatures", 0, to=None), "invalid-field"),
    Row("an empty signature", change(*SIG, to=""), Refused("empty-signature"), 9, Shown("empty-signature")),
    Row("a signature without `sig`", drop(*SIG), Refused("empty-signature"), 9, Shown("empty-signature")),
    Row("an empty signature beside the honest one", signatures(lambda _, one: [{"sig": ""}, one]),
        Refused("empty-signature"), 0, Shown("empty-signature")),
    leniently("the honest signature twice", signatures(lambda _, one: [one, one]), "signature-count"),
    leniently("two honest signatures", signatures(lambda honest, one: [one, {"sig": b64(honest.sign())}]),
              "signature-count"),
    leniently("a stranger's signature before the honest one", signatures(
        lambda honest, one: [{"sig": b64(honest.sign_as_stranger())}, one]), "signature-count"),
    leniently("a stranger's signature behind the honest one", signatures(
        lambda honest, one: [one, {"sig": b64(honest.sign_as_stranger())}]), "signature-count"),
    Row("two strangers", signatures(lambda honest, _: [{"sig": b64(honest.sign_as_stranger())}] * 2),
        Refused("signature-count"), 7, Shown("signature-count")),
    nowhere("eleven signatures", signatures(lambda _, one: [one] * 11), "signature-count"),
    unproven("a stranger's signature under the honest hint", signatures(
        lambda honest, _: [{"sig": b64(honest.sign_as_stranger())}])),
    Row("a stranger's signature under the stranger's hint", _named_as_stranger, Refused("signer-unknown"), 8, SHOWN),
    Row("the honest signature under a stranger's hint", lambda honest: dump(_hinted(
        honest.document(), Attested(b"", private=honest.stranger).public.hint)), STORED, 0, SHOWN),
    Row("a hint in words", change(*HINT, to="the key of the release team"), STORED, 0, SHOWN),
    Row("an empty hint", change(*HINT, to=""), STORED, 0, SHOWN),
    Row("a long hint", change(*HINT, to="x" * 300), Refused("name-too-long"), 0, Shown("name-too-long")),
    nowhere("a hint that is a number", change(*HINT, to=1), "invalid-field"),
    Row("a key id", signatures(lambda _, one: [{**one, "keyid": "somebody"}]), STORED, 0, SHOWN),
    Row("an empty key id", signatures(lambda _, one: [{**one, "keyid": ""}]), STORED, 0, SHOWN),
    leniently("a long key id", signatures(lambda _, one: [{**one, "keyid": "x" * 300}]), "name-too-long"),
    nowhere("a key id that is a number", signatures(lambda _, one: [{**one, "keyid": 7}]), "invalid-field"),
    leniently("another member in the signature", signatures(lambda _, one: [{**one, "cert": ""}]), "unknown-field"),
    *(
        unproven(f"a signature with a bit flipped at {position}", change(*SIG, to=_flip(position)))
        for position in (0, 1, 3, 10, 40, -1)
    ),
    unproven("a signature that is cut", change(*SIG, to=lambda old: b64(b64decode(old)[:-1]))),
    unproven("a signature with a byte behind it", change(*SIG, to=lambda old: b64(b64decode(old) + b"\0"))),
    unproven("a signature of zeros", change(*SIG, to=b64(encode_dss_signature(0, 0)))),
    unproven("a signature with its numbers raw", signatures(_raw_numbers)),
    unproven("a signature whose lengths are written long", signatures(_long_lengths)),
    # Anybody can make it from the first: ECDSA signs the bytes, not the signature. The bundle's digest differs, and a
    # run that has an attestation takes no second one.
    Row("the other signature of the same bytes", signatures(_negated), STORED, 0, SHOWN),
)  # fmt: skip


def _hinted(document: Document, hint: str) -> Document:
    document[MATERIAL]["publicKey"]["hint"] = hint
    return document


FORM = (
    Row("spaces and other order", lambda honest: json.dumps(honest.document(), indent=4, sort_keys=True).encode(),
        STORED, 0, SHOWN),
    Row("a line break at its end", text(lambda raw: raw + b"\n"), STORED, 0, SHOWN),
    Row("escapes for letters", text(lambda raw: raw.replace(b'"payload"', b'"\\u0070ayload"')), STORED, 0, SHOWN),
    Row("a transparency log's entry", change(MATERIAL, "tlogEntries", to=[{"logIndex": "1"}]), STORED, 0, SHOWN),
    Row("no log entries", drop(MATERIAL, "tlogEntries"), STORED, 0, SHOWN),
    *(leniently(f"media type {older}", change("mediaType", to=older), "media-type") for older in OLDER_MEDIA_TYPES),
    leniently("no media type", drop("mediaType"), "media-type"),
    nowhere("an unknown media type", change("mediaType", to="application/json"), "media-type"),
    nowhere("a media type of a later version", change(
        "mediaType", to="application/vnd.dev.sigstore.bundle.v0.4+json"), "media-type"),
    nowhere("a media type in capitals", change("mediaType", to=lambda old: old.upper()), "media-type"),
    Row("a bare envelope", _bare, Refused("bare-envelope"), 0, Shown("bare-envelope")),
    leniently("an empty verification material", change(MATERIAL, to={}), "verification-material"),
    leniently("no verification material", drop(MATERIAL), "verification-material"),
    leniently("a certificate beside the hint", lambda honest: dump(_certified(honest.document())),
              "verification-material"),
    nowhere("a verification material that is a text", change(MATERIAL, to="none"), "invalid-field"),
    leniently("an unknown member of the bundle", lambda honest: dump({**honest.document(), "more": 1}),
              "unknown-field"),
    leniently("log entries that are no objects", change(MATERIAL, "tlogEntries", to=["x"]), "tlog-entries"),
    nowhere("a signed message beside the envelope", lambda honest: dump(
        {**honest.document(), "messageSignature": {}}), "invalid-field"),
    nowhere("a second envelope around the first", lambda honest: dump(
        {**honest.document(), "payload": "e30="}), "invalid-field"),
    nowhere("an array around the bundle", text(lambda raw: b"[" + raw + b"]"), "invalid-field"),
    *(nowhere(f"{raw!r}", text(lambda _, raw=raw: raw), "invalid-field") for raw in (b'"x"', b"7", b"true")),
    nowhere("an object without members", text(lambda _: b"{}"), "missing-field"),
)  # fmt: skip


def _certified(document: Document) -> Document:
    document[MATERIAL]["certificate"] = {"rawBytes": b64(b"DER")}
    return document


ROWS: tuple[Row, ...] = (*WHAT_IS_SIGNED, *BASE64, *SIGNATURES, *FORM, *JSON, *SIZE)
