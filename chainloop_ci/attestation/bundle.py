"""The Sigstore bundle: the file that an attestation travels and is stored in. Its digest is the attestation's id.

Source: sigstore/protobuf-specs, `sigstore_bundle.proto` (v0.3). One parser, two doors: `read_bundle` is lenient, for
people who verify or describe a file; `read_bundle_strict` is for the control plane's store and takes only what this
version writes (R9). Duplicate keys and other ambiguous JSON are refused at both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import field
from itertools import chain
from typing import Any

from chainloop_ci.attestation.dsse import (
    PAYLOAD_TYPE,
    Envelope,
    Signature,
    decode_base64,
    decode_base64_either,
    encode_base64,
    encode_pae,
)
from chainloop_ci.attestation.fields import Fields
from chainloop_ci.attestation.strict_json import parse_strict
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import BundleInvalidError, Finding, Findings, JsonInvalidError, limit_findings
from chainloop_ci.records import record

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
"""The bundle form that is written, and the only one that the control plane stores."""

OLDER_MEDIA_TYPES = (
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
)
"""Spellings that are still read from files."""

MAX_BUNDLE_BYTES = 8 * 1024 * 1024
"""Largest bundle that is made, stored and read, base64 included: 1 000 materials or inline content fit."""

_MAX_PARTS = 10_000
"""Texts, commas and brackets of a bundle around its payload; one with a transparency log's proof has some hundred."""
_MAX_SIGNATURES = 10
_MAX_TLOG_ENTRIES = 10
_MAX_NAME = 256
"""Longest name of a key in a bundle, in characters."""

_MATERIAL = "/verificationMaterial"
_TLOG = f"{_MATERIAL}/tlogEntries"
_KNOWN_FIELDS = {
    "": ("mediaType", "verificationMaterial", "dsseEnvelope"),
    "/dsseEnvelope": ("payload", "payloadType", "signatures"),
    "/dsseEnvelope/signatures": ("sig", "keyid"),
    _MATERIAL: ("publicKey", "certificate", "x509CertificateChain", "tlogEntries", "timestampVerificationData"),
    f"{_MATERIAL}/publicKey": ("hint",),
    _TLOG: (
        "logIndex",
        "logId",
        "kindVersion",
        "integratedTime",
        "inclusionPromise",
        "inclusionProof",
        "canonicalizedBody",
    ),
}


@record
class Bundle:
    """A bundle as it was read; `raw` is what is stored, sent and hashed, never a new rendering."""

    media_type: str
    """Empty for a bare envelope."""
    payload: bytes = field(repr=False)
    payload_type: str
    signatures: tuple[Signature, ...]
    certificate: bytes | None
    """DER of the leaf certificate."""
    hint: str | None
    """Which public key signed, by the bundle's own word."""
    raw: bytes = field(repr=False)
    digest: Digest
    """sha256 of `raw`: the attestation's id."""
    deviations: tuple[Finding, ...] = ()
    """What the strict reader refuses besides; that nobody signed is not among them (R4)."""

    @property
    def envelope(self) -> Envelope:
        """Return the signed part."""
        return Envelope(self.payload, self.payload_type, self.signatures)


def pae(bundle: Bundle) -> bytes:
    """Return the bytes that the bundle's signatures sign."""
    return encode_pae(bundle.payload_type, bundle.payload)


def render_bundle(payload: bytes, signature: bytes, public_key_hint: str) -> bytes:
    """Return a bundle v0.3 with one signature.

    No `keyid`: cosign refuses one. `tlogEntries` stands there empty: some readers demand the field.
    """
    document = _document(encode_base64(payload), encode_base64(signature), public_key_hint)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _document(payload: str, signature: str, hint: str) -> dict[str, object]:
    """Return what is written; payload and signature are base64."""
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": {"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": [{"sig": signature}]},
    }


def read_bundle(raw: bytes, *, max_bytes: int = MAX_BUNDLE_BYTES) -> Bundle:
    """Read a bundle or a bare DSSE envelope from a file, leniently (R9).

    Read as well: older media types, empty `verificationMaterial`, any number of signatures with or without `keyid`,
    URL-safe base64, signatures that were base64-encoded twice. `deviations` says what of it was met.

    Raises:
        BundleInvalidError: it is no bundle; `findings` has every reason.
        LimitExceededError: more than `max_bytes`, or far more values than a bundle has.
    """
    bundle, broken = _read(raw, max_bytes)
    if broken:
        raise _refusal("not a bundle that holds a signed statement", broken)
    return bundle


def read_bundle_strict(raw: bytes, *, allow_unsigned: bool = False, max_bytes: int = MAX_BUNDLE_BYTES) -> Bundle:
    """Read a bundle for the store: v0.3, exactly one signature, payload type exact, strict base64 (R9).

    `allow_unsigned` accepts a bundle without signatures (R4).

    Raises:
        BundleInvalidError: `findings` is the complete list.
        LimitExceededError: more than `max_bytes`.
    """
    bundle, broken = _read(raw, max_bytes)
    findings = limit_findings(chain(broken, bundle.deviations, _missing_signature(bundle, allow_unsigned)))
    if findings:
        raise _refusal(f"expected a bundle {MEDIA_TYPE} with exactly one signature", findings)
    return bundle


def _read(raw: bytes, max_bytes: int) -> tuple[Bundle, Sequence[Finding]]:
    """Return the bundle, and why nobody can use it."""
    try:
        document = parse_strict(raw, max_bytes=max_bytes, max_parts=_MAX_PARTS)
    except JsonInvalidError as error:
        raise _refusal("not a bundle", error.findings) from error
    usual = _read_usual(document, raw)
    return (usual, ()) if usual else _Parser(document, raw).parse()


def _read_usual(document: Any, raw: bytes) -> Bundle | None:
    """Return a bundle that is what `render_bundle` writes, value for value; None: it has to be looked at closer.

    Nearly every bundle is: one comparison then says what `_Parser` asks of each field.
    """
    try:
        hint = document["verificationMaterial"]["publicKey"]["hint"]
        envelope = document["dsseEnvelope"]
        payload, signature = envelope["payload"], envelope["signatures"][0]["sig"]
    except (KeyError, IndexError, TypeError):
        return None
    if not (isinstance(hint, str) and isinstance(payload, str) and isinstance(signature, str)):
        return None
    if document != _document(payload, signature, hint) or not 0 < len(hint) <= _MAX_NAME:
        return None
    signed, value = _decoded(decode_base64, payload), _decoded(decode_base64, signature)
    if not signed or not value or _inner_base64(value) is not None:
        return None
    return Bundle(
        media_type=MEDIA_TYPE,
        payload=signed,
        payload_type=PAYLOAD_TYPE,
        signatures=(Signature(value),),
        certificate=None,
        hint=hint,
        raw=raw,
        digest=sha256_digest(raw),
    )


def _missing_signature(bundle: Bundle, allow_unsigned: bool) -> list[Finding]:
    if bundle.signatures or allow_unsigned:
        return []
    return [Finding("signature-count", "expected exactly one signature, found 0", path="/dsseEnvelope/signatures")]


def _refusal(expected: str, findings: Sequence[Finding]) -> BundleInvalidError:
    more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
    return BundleInvalidError(
        f"{expected}: {findings[0]}{more}",
        hint="make it with `chainloop attestation push`, or with `cosign attest-blob --bundle FILE`",
        findings=findings,
    )


class _Parser:
    """One reading of one file. `broken`: nobody can use it; `deviations`: only the lenient door lets it in."""

    def __init__(self, document: object, raw: bytes) -> None:
        self.document = document
        self.raw = raw
        self.broken = Findings()
        self.deviations = Findings()

    def parse(self) -> tuple[Bundle, Sequence[Finding]]:
        document = Fields(self.document, self.broken)
        media_type = self._media_type(document)
        envelope = self._envelope(document)
        material = self._material(document)
        bundle = Bundle(
            media_type=media_type,
            payload=self._payload(envelope),
            payload_type=self._payload_type(envelope),
            signatures=self._signatures(envelope),
            certificate=self._certificate(material),
            hint=self._hint(material),
            raw=self.raw,
            digest=sha256_digest(self.raw),
            deviations=tuple(self.deviations),
        )
        return bundle, self.broken

    def _media_type(self, document: Fields) -> str:
        media_type = document.text("mediaType")
        if media_type in OLDER_MEDIA_TYPES or (not media_type and "mediaType" not in document):
            self._deviate("media-type", f"expected {MEDIA_TYPE}, found {media_type or 'none'}", "/mediaType")
        elif media_type != MEDIA_TYPE:
            document.report("mediaType", f"expected {MEDIA_TYPE}, found {media_type[:120]!r}", "media-type")
        return media_type

    def _envelope(self, document: Fields) -> Fields:
        if "messageSignature" in document:
            document.report("messageSignature", "it signs a file directly; an attestation holds a `dsseEnvelope`")
        if "dsseEnvelope" not in document and "payload" in document:
            self._deviate("bare-envelope", "expected a bundle, found a bare DSSE envelope", "/")
            return document
        self._unknown_fields(document, "")
        envelope = document.child("dsseEnvelope")
        self._unknown_fields(envelope, "/dsseEnvelope")
        if "payload" in document:
            document.report("payload", "found a second envelope beside `dsseEnvelope`")
        return envelope

    def _payload(self, envelope: Fields) -> bytes:
        before = len(self.broken)
        payload = self._base64(envelope, "payload")
        if not payload and len(self.broken) == before:
            envelope.report("payload", "expected the signed payload, found nothing", "missing-field")
        return payload

    def _payload_type(self, envelope: Fields) -> str:
        payload_type = envelope.text("payloadType")
        if payload_type != PAYLOAD_TYPE:
            message = f"expected exactly {PAYLOAD_TYPE}, found {payload_type[:120]!r}"
            self._deviate("payload-type", message, f"{envelope.path}/payloadType")
        return payload_type

    def _signatures(self, envelope: Fields) -> tuple[Signature, ...]:
        found = []
        entries = envelope.children("signatures")
        if len(entries) > _MAX_SIGNATURES:
            message = f"expected at most {_MAX_SIGNATURES} signatures, found {len(entries)}"
            envelope.report("signatures", message, "signature-count")
            return ()
        for entry in entries:
            self._unknown_fields(entry, "/dsseEnvelope/signatures")
            value = self._signature(entry)
            # An empty signature signs nothing: it is none, and never a reason to look no further.
            if value:
                found.append(Signature(value, self._name(entry, "keyid")))
            else:
                self._deviate("empty-signature", "expected a signature, found nothing", f"{entry.path}/sig")
        if len(found) > 1:
            message = f"expected exactly one signature, found {len(found)}"
            self._deviate("signature-count", message, f"{envelope.path}/signatures")
        return tuple(found)

    def _signature(self, entry: Fields) -> bytes:
        value = self._base64(entry, "sig")
        inner = _inner_base64(value)
        if inner is None:
            return value
        # Real signatures are never text: DER has a byte 0x02 at a fixed place, others are random bytes.
        self._deviate("doubled-base64", "expected base64, found base64 of base64", f"{entry.path}/sig")
        return inner

    def _material(self, document: Fields) -> Fields:
        material = document.child("verificationMaterial")
        kinds = [kind for kind in ("publicKey", "certificate", "x509CertificateChain") if kind in material]
        if len(kinds) != 1:
            message = f"expected a public key's hint or a certificate, found {' and '.join(kinds) or 'neither'}"
            self._deviate("verification-material", message, material.path)
        self._unknown_fields(material, _MATERIAL)
        self._tlog_entries(material)
        return material

    def _tlog_entries(self, material: Fields) -> None:
        """Note what is no entry of a transparency log: nobody reads them here, so nothing else may hide there (R9)."""
        entries = material.value("tlogEntries")
        if entries is None:
            return
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries[:_MAX_TLOG_ENTRIES]):
            self._deviate("tlog-entries", "expected an array of objects", _TLOG)
        elif len(entries) > _MAX_TLOG_ENTRIES:
            message = f"expected at most {_MAX_TLOG_ENTRIES} entries, found {len(entries)}"
            self._deviate("tlog-entries", message, _TLOG)
        else:
            for entry in material.children("tlogEntries"):
                self._unknown_fields(entry, _TLOG)

    def _hint(self, material: Fields) -> str | None:
        holder = material.child("publicKey")
        self._unknown_fields(holder, f"{_MATERIAL}/publicKey")
        return self._name(holder, "hint") or None

    def _name(self, holder: Fields, field_name: str) -> str:
        """Return what a key is called."""
        name = holder.text(field_name)
        if len(name) > _MAX_NAME:
            message = f"expected at most {_MAX_NAME} characters, found {len(name)}"
            self._deviate("name-too-long", message, f"{holder.path}/{field_name}")
        return name

    def _certificate(self, material: Fields) -> bytes | None:
        if "certificate" not in material and "x509CertificateChain" not in material:
            return None
        holders = [material.child("certificate"), *material.child("x509CertificateChain").children("certificates")]
        found = [self._base64(holder, "rawBytes") for holder in holders if "rawBytes" in holder]
        return found[0] if found and found[0] else None

    def _base64(self, holder: Fields, name: str) -> bytes:
        text = holder.text(name)
        path = f"{holder.path}/{name}"
        strict = _decoded(decode_base64, text)
        if strict is not None:
            return strict
        either = _decoded(decode_base64_either, text)
        if either is None:
            holder.report(name, "expected canonical base64", "base64")
            return b""
        self._deviate("base64", "expected base64 in the standard alphabet, found the URL-safe one", path)
        return either

    def _unknown_fields(self, holder: Fields, kind: str) -> None:
        unknown = [name for name in holder.names() if name not in _KNOWN_FIELDS[kind]]
        if unknown:
            more = f" and {len(unknown) - 1} others" if len(unknown) > 1 else ""
            message = f"a bundle v0.3 has no field {unknown[0][:80]!r}{more} here"
            self._deviate("unknown-field", message, holder.path or "/")

    def _deviate(self, code: str, message: str, path: str) -> None:
        self.deviations.append(Finding(code, message, path=path))


def _decoded(decode: Callable[[str], bytes], text: str) -> bytes | None:
    try:
        return decode(text)
    except ValueError:
        return None


def _inner_base64(value: bytes) -> bytes | None:
    """Return what `value` is the base64 of, or None (chainloop issue 1832: some writers encoded signatures twice)."""
    if not value or not value.isascii():
        return None
    return _decoded(decode_base64_either, value.decode("ascii"))
