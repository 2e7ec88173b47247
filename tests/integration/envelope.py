"""An honest attestation to be spoiled, and what each door must say of the result: the words of the envelope table."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from chainloop_ci.attestation.bundle import render_bundle
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, encode_pae
from chainloop_ci.signing.public_keys import PublicKey, wrap_public_key

Document = dict[str, Any]


@dataclass(frozen=True)
class Stored:
    """The control plane keeps it."""


@dataclass(frozen=True)
class Shown:
    """`describe` shows it, and warns of `deviation` when there is one."""

    deviation: str = ""


@dataclass(frozen=True)
class Refused:
    """It is refused; one of the findings has this code."""

    finding: str


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Attested:
    """A statement, and the key that the doors trust."""

    payload: bytes
    private: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    stranger: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    @property
    def public(self) -> PublicKey:
        """Return the key that the doors trust."""
        return wrap_public_key(self.private.public_key())

    def sign(self, payload: bytes | None = None, payload_type: str = PAYLOAD_TYPE) -> bytes:
        """Return the trusted key's signature over a payload of a type."""
        return self.sign_raw(encode_pae(payload_type, self.payload if payload is None else payload))

    def sign_raw(self, message: bytes) -> bytes:
        """Return the trusted key's signature over bytes as they are."""
        return self.private.sign(message, ec.ECDSA(SHA256()))

    def sign_as_stranger(self) -> bytes:
        """Return the signature of somebody whom no door knows."""
        return self.stranger.sign(encode_pae(PAYLOAD_TYPE, self.payload), ec.ECDSA(SHA256()))

    def document(self, payload: bytes | None = None) -> Document:
        """Return an honest bundle over a payload, as a document."""
        signed = self.payload if payload is None else payload
        parsed: Document = json.loads(render_bundle(signed, self.sign(signed), self.public.hint))
        return parsed

    def padded(self, remainder: int) -> bytes:
        """Return the statement with spaces at its end: its length leaves `remainder` when divided by three."""
        return self.payload + b" " * ((remainder - len(self.payload)) % 3)

    def with_member(self, member: str) -> bytes:
        """Return the statement with one more member at its front; readers ignore what they do not know."""
        return b"{" + member.encode("utf-8", "surrogatepass") + b"," + self.payload[1:]

    def without_end(self) -> bytes:
        """Return the statement without the bracket that closes it."""
        return self.payload[:-1]


Spoil = Callable[[Attested], bytes]


@dataclass(frozen=True)
class Row:
    """One way to spoil a bundle, and the outcome at each door."""

    name: str
    spoil: Spoil
    store: Stored | Refused
    verify: int
    """Exit status: 0 proven, 7 signature bad, 8 signer not trusted, 9 nothing to verify, 1 no attestation."""
    describe: Shown | Refused


def dump(document: object) -> bytes:
    """Return JSON as a client would write it; lone surrogates and NaN are written as they are."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def b64(raw: bytes) -> str:
    """Return standard base64."""
    return base64.b64encode(raw).decode("ascii")


def change(*path: str | int, to: object) -> Spoil:
    """Return what sets one value of an honest bundle; `to` may be a function of what stood there."""

    def spoil(honest: Attested) -> bytes:
        document = honest.document()
        place: Any = document
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = to(place[path[-1]]) if callable(to) else to
        return dump(document)

    return spoil


def drop(*path: str | int) -> Spoil:
    """Return what leaves one value of an honest bundle out."""

    def spoil(honest: Attested) -> bytes:
        document = honest.document()
        place: Any = document
        for part in path[:-1]:
            place = place[part]
        del place[path[-1]]
        return dump(document)

    return spoil


def text(edit: Callable[[bytes], bytes]) -> Spoil:
    """Return what edits the bytes of an honest bundle's file."""
    return lambda honest: edit(dump(honest.document()))


def payload(edit: Callable[[Attested], bytes]) -> Spoil:
    """Return what signs another payload with the trusted key, in an honest bundle."""
    return lambda honest: dump(honest.document(edit(honest)))


def encoded(edit: Callable[[str], str], remainder: int | None = None) -> Spoil:
    """Return what writes the payload's base64 in another way; the signature stays good."""

    def spoil(honest: Attested) -> bytes:
        document = honest.document(None if remainder is None else honest.padded(remainder))
        document["dsseEnvelope"]["payload"] = edit(document["dsseEnvelope"]["payload"])
        return dump(document)

    return spoil


def signatures(make: Callable[[Attested, Document], list[Any]]) -> Spoil:
    """Return what puts other signatures into an honest bundle; `make` gets the honest one as well."""

    def spoil(honest: Attested) -> bytes:
        document = honest.document()
        document["dsseEnvelope"]["signatures"] = make(honest, document["dsseEnvelope"]["signatures"][0])
        return dump(document)

    return spoil


def typed(payload_type: object, *, signed_as: str = PAYLOAD_TYPE) -> Spoil:
    """Return what gives the payload another type; `signed_as` is the type that the signature covers."""

    def spoil(honest: Attested) -> bytes:
        document = honest.document()
        document["dsseEnvelope"]["payloadType"] = payload_type
        document["dsseEnvelope"]["signatures"][0]["sig"] = b64(honest.sign(payload_type=signed_as))
        return dump(document)

    return spoil


STORED, SHOWN = Stored(), Shown()


def nowhere(name: str, spoil: Spoil, code: str) -> Row:
    """Return a row of what is refused at all doors for the same reason."""
    return Row(name, spoil, Refused(code), 1, Refused(code))


def leniently(name: str, spoil: Spoil, code: str) -> Row:
    """Return a row of what files may be, and the store does not take."""
    return Row(name, spoil, Refused(code), 0, Shown(code))


def unproven(name: str, spoil: Spoil, *, deviation: str = "", store: str = "signature-invalid") -> Row:
    """Return a row of what is shown, and whose signature is bad."""
    return Row(name, spoil, Refused(store), 7, Shown(deviation))
