"""The envelope table's rows about JSON and size: documents that two readers could read in two ways (R10; T24, T30)."""

from __future__ import annotations

from collections.abc import Callable

from chainloop_ci.attestation.bundle import MAX_BUNDLE_BYTES
from tests.integration.envelope import SHOWN, STORED, Attested, Refused, Row, Spoil, nowhere, payload, text


def _twice(name: str, other: str) -> Spoil:
    """Write a member of the envelope a second time, under `other`, with another value."""
    return text(lambda raw: raw.replace(f'"{name}":'.encode(), f'"{other}":"eHg=","{name}":'.encode(), 1))


def _deep(levels: int) -> str:
    return "[" * levels + "]" * levels


# What follows is JSON that readers could read in two ways: in the bundle's file, and in a statement that the trusted
# key has signed. The signature is good then, and it is no attestation all the same.
_AMBIGUOUS = (
    ("a number that is none", '"x":NaN', "json-constant"),
    ("an infinite number", '"x":[-Infinity]', "json-constant"),
    ("a number beyond all floats", '"x":1e999', "json-number"),
    ("an integer over 2^53", '"x":9007199254740993', "json-integer"),
    ("an integer of 5 000 digits", '"x":' + "9" * 5000, "json-integer"),
    ("a negative integer below -2^53", '"x":-9007199254740993', "json-integer"),
    ("half of a surrogate pair, escaped", '"x":"\\ud800"', "json-surrogate"),
    ("half of a surrogate pair in a key", '"\\uDFFF":1', "json-surrogate"),
    ("surrogates in the wrong order", '"x":"\\udc00\\ud800"', "json-surrogate"),
    ("half of a surrogate pair, in its bytes", '"x":"\ud800"', "json-encoding"),
    ("a key twice", '"x":1,"x":1', "json-duplicate-key"),
    ("a key twice, once escaped", '"x":1,"\\u0078":1', "json-duplicate-key"),
    ("a key twice deep inside", '"x":[{"y":[{"z":1,"z":2}]}]', "json-duplicate-key"),
    ("keys that differ in case", '"x":1,"X":2', "json-case-variant"),
    ("keys that differ in case as Unicode sees it", '"s":1,"\u017f":2', "json-case-variant"),
    ("65 levels", f'"x":{_deep(64)}', "json-depth"),
    ("9 000 levels", f'"x":{_deep(9_000)}', "json-depth"),
    ("a comment", '/* x */"x":1', "json-syntax"),
    ("a text in single quotes", "'x':1", "json-syntax"),
    ("a key without quotes", "x:1", "json-syntax"),
    ("a leading zero", '"x":01', "json-syntax"),
    ("a hexadecimal number", '"x":0x1', "json-syntax"),
    ("a line break in a text", '"x":"\n"', "json-syntax"),
    ("Python's word for true", '"x":True', "json-syntax"),
)

_WHOLE = (
    ("a byte order mark", lambda raw: b"\xef\xbb\xbf" + raw, "json-syntax"),
    ("UTF-16 with its mark", lambda raw: raw.decode().encode("utf-16"), "json-encoding"),
    ("UTF-16 without a mark", lambda raw: raw.decode().encode("utf-16-le"), "json-syntax"),
    ("UTF-32", lambda raw: raw.decode().encode("utf-32-be"), "json-syntax"),
    ("a Latin-1 letter", lambda raw: b'{"\xe9":1,' + raw[1:], "json-encoding"),
    ("a second document behind it", lambda raw: raw + b"{}", "json-syntax"),
    ("a NUL behind it", lambda raw: raw + b"\x00", "json-syntax"),
    ("a comma before its end", lambda raw: raw[:-1] + b",}", "json-syntax"),
    ("its last byte missing", lambda raw: raw[:-1], "json-syntax"),
    ("an XML prolog before it", lambda raw: b"<?xml?>" + raw, "json-syntax"),
    ("a form feed before it", lambda raw: b"\x0c" + raw, "json-syntax"),
)


def _member(member: str) -> Spoil:
    return text(lambda raw: b"{" + member.encode("utf-8", "surrogatepass") + b"," + raw[1:])


def _statement(name: str, make: Callable[[Attested], bytes], code: str) -> Row:
    return nowhere(f"statement with {name}", payload(make), code)


JSON = (
    *(nowhere(f"bundle with {name}", _member(member), code) for name, member, code in _AMBIGUOUS),
    *(nowhere(f"bundle with {name}", text(edit), code) for name, edit, code in _WHOLE),
    *(_statement(name, lambda h, m=member: h.with_member(m), code) for name, member, code in _AMBIGUOUS),
    *(_statement(name, lambda h, e=edit: e(h.payload), code) for name, edit, code in _WHOLE),
    *(nowhere(f"two members {name!r}", _twice(name, name), "json-duplicate-key")
      for name in ("payload", "payloadType", "signatures", "sig", "mediaType", "hint")),
    *(nowhere(f"members {name!r} and {name.title()!r}", _twice(name, name.capitalize()), "json-case-variant")
      for name in ("payload", "signatures", "sig", "hint")),
    _statement("two predicates", lambda h: h.with_member('"predicate":{}'), "json-duplicate-key"),
    _statement("a predicate in capitals", lambda h: h.with_member('"PREDICATE":{}'), "json-case-variant"),
    _statement("nothing in it", lambda _: b"{}", "statement-type"),
    _statement("an array for a statement", lambda _: b"[]", "invalid-field"),
    _statement("a text for a statement", lambda _: b'"https://in-toto.io/Statement/v1"', "invalid-field"),
    Row("statement with an integer of 2^53", payload(lambda h: h.with_member('"x":9007199254740992')), STORED, 0,
        SHOWN),
    Row("statement with 64 levels", payload(lambda h: h.with_member(f'"x":{_deep(63)}')), STORED, 0, SHOWN),
    Row("statement with a whole surrogate pair", payload(lambda h: h.with_member('"x":"\\ud83d\\ude00"')), STORED, 0,
        SHOWN),
    Row("statement with an unknown member", payload(lambda h: h.with_member('"x":1')), STORED, 0, SHOWN),
    Row("statement with spaces at its end", payload(lambda h: h.payload + b" \r\n\t"), STORED, 0, SHOWN),
)  # fmt: skip

SIZE = (
    nowhere("an empty file", text(lambda _: b""), "json-syntax"),
    nowhere("spaces only", text(lambda _: b" \n"), "json-syntax"),
    nowhere("random bytes", text(lambda _: bytes(range(256))), "json-encoding"),
    Row("one byte more than a bundle may have", text(lambda raw: raw + b" " * (MAX_BUNDLE_BYTES + 1 - len(raw))),
        Refused("body-too-large"), 1, Refused("limit-exceeded")),
    Row("as many bytes as a bundle may have", text(lambda raw: raw + b" " * (MAX_BUNDLE_BYTES - len(raw))), STORED, 0,
        SHOWN),
    nowhere("far more parts than a bundle has", _member('"x":[' + "0," * 20_000 + "0]"), "limit-exceeded"),
    nowhere("a statement of far more parts than any has", payload(
        lambda h: h.with_member('"x":[' + "0," * 600_000 + "0]")), "limit-exceeded"),
)  # fmt: skip
