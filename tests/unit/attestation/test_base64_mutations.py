"""A thousand other spellings of a signed bundle's base64: none of them is a second text for the same bytes (T23)."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from chainloop_ci.attestation.bundle import Bundle, read_bundle, read_bundle_strict, render_bundle
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, encode_pae
from chainloop_ci.attestation.verification import check_signature
from chainloop_ci.errors import BundleInvalidError, NothingToVerifyError, SignatureInvalidError
from chainloop_ci.signing.generate import generate_key
from chainloop_ci.signing.keys import load_signing_key

SEED = 20261120
MUTATIONS = 1000
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
FOREIGN = [
    "\n",
    "\r\n",
    " ",
    "\t",
    "\x00",
    "=",
    "==",
    "-",
    "_",
    "!",
    ".",
    "~",
    "%",
    "\u00a0",
    "\uff21",
    "\u200b",
    *ALPHABET,
]
PAYLOAD = b'{"_type":"https://in-toto.io/Statement/v1","x":"~~~???~~~???"}'


def insert(text: str, at: int, dice: random.Random) -> str:
    return text[:at] + dice.choice(FOREIGN) + text[at:]


def replace(text: str, at: int, dice: random.Random) -> str:
    return text[:at] + dice.choice(FOREIGN) + text[at + 1 :]


def delete(text: str, at: int, dice: random.Random) -> str:
    return text[:at] + text[at + dice.randint(1, 4) :]


def swap(text: str, at: int, dice: random.Random) -> str:
    return text[:at] + text[at : at + 2][::-1] + text[at + 2 :]


def unpad(text: str, at: int, dice: random.Random) -> str:
    return text.rstrip("=") + "=" * dice.randint(0, 4)


def fold(text: str, at: int, dice: random.Random) -> str:
    width = dice.choice([4, 19, 64, 76])
    return dice.choice(["\n", "\r\n", " "]).join(text[i : i + width] for i in range(0, len(text), width))


def trailing_bits(text: str, at: int, dice: random.Random) -> str:
    body = text.rstrip("=")
    return body[:-1] + dice.choice(ALPHABET) + text[len(body) :]


def url_safe(text: str, at: int, dice: random.Random) -> str:
    return text.replace("+", "-") if dice.random() < 0.5 else text.replace("+", "-").replace("/", "_")


WAYS = (insert, replace, delete, swap, unpad, fold, trailing_bits, url_safe)

SIGNER = load_signing_key(generate_key()[0], read_password=lambda: None, env={})


def mutate(dice: random.Random) -> tuple[str, str, bytes]:
    """Return the place, the mutated text, and the whole bundle with it."""
    payload = PAYLOAD + b" " * dice.randint(0, 2)
    document = json.loads(render_bundle(payload, SIGNER.sign(encode_pae(PAYLOAD_TYPE, payload)), SIGNER.hint))
    envelope = document["dsseEnvelope"]
    place = dice.choice(["payload", "sig"])
    holder = envelope if place == "payload" else envelope["signatures"][0]
    before = holder[place]
    while holder[place] == before:
        holder[place] = dice.choice(WAYS)(before, dice.randrange(len(before)), dice)
    return place, holder[place], json.dumps(document).encode()


def judge(bundle: Bundle) -> str:
    try:
        check_signature(bundle, [SIGNER.public_key])
    except (SignatureInvalidError, NothingToVerifyError):
        return "not proven"
    return "proven"


def outcome(raw: bytes, *, strict: bool) -> str:
    try:
        bundle = read_bundle_strict(raw) if strict else read_bundle(raw)
    except BundleInvalidError:
        return "refused"
    return judge(bundle)


@pytest.fixture(scope="module")
def mutations() -> list[tuple[str, str, bytes]]:
    """Return the same thousand each time; a failure shows its text."""
    dice = random.Random(SEED)
    return [mutate(dice) for _ in range(MUTATIONS)]


def test_t23_the_store_proves_none_of_them(mutations: list[tuple[str, str, bytes]]) -> None:
    proven = [(place, text) for place, text, raw in mutations if outcome(raw, strict=True) == "proven"]

    assert proven == []


def test_t23_a_file_proves_only_what_is_in_the_other_alphabet(mutations: list[tuple[str, str, bytes]]) -> None:
    for place, text, raw in mutations:
        if outcome(raw, strict=False) == "proven":
            assert set("-_") & set(text), (place, text)
            assert not set("+/") & set(text), (place, text)
            assert [deviation.code for deviation in read_bundle(raw).deviations] == ["base64"]


def test_the_mutations_are_of_every_sort(mutations: list[tuple[str, str, bytes]]) -> None:
    counts = Counter(outcome(raw, strict=False) for _, _, raw in mutations)

    assert counts.keys() == {"refused", "not proven", "proven"}
    assert counts["refused"] > MUTATIONS // 4
    assert {place for place, _, _ in mutations} == {"payload", "sig"}
