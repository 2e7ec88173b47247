from __future__ import annotations

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chainloop_ci.attestation.dsse import (
    PAYLOAD_TYPE,
    decode_base64,
    decode_base64_either,
    encode_base64,
    encode_pae,
)


def test_the_published_vector_of_the_protocol_is_encoded() -> None:
    """DSSE, protocol.md, «Test Vectors»."""
    assert encode_pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_count_bytes_not_characters() -> None:
    assert encode_pae("é", "é".encode()) == "DSSEv1 2 é 2 é".encode()


_parts = st.tuples(st.text("ab 0123", max_size=6), st.text("ab 0123", max_size=6).map(str.encode))


@given(_parts, _parts)
@example(("a", b"1 b"), ("a 3 1", b"b"))
@example(("", b""), (" 0", b""))
def test_t21_no_two_pairs_of_type_and_payload_share_their_encoding(
    one: tuple[str, bytes], other: tuple[str, bytes]
) -> None:
    assert (encode_pae(*one) == encode_pae(*other)) == (one == other)


def test_the_payload_type_is_part_of_what_is_signed() -> None:
    assert encode_pae(PAYLOAD_TYPE, b"x") != encode_pae("application/vnd.in-toto+jsom", b"x")


@given(st.binary(max_size=80))
def test_base64_comes_back(raw: bytes) -> None:
    assert decode_base64(encode_base64(raw)) == raw
    assert decode_base64_either(base64.urlsafe_b64encode(raw).decode()) == raw


@pytest.mark.parametrize(
    "text",
    [
        "YQ",
        "YQ=",
        "YQ===",
        "YR==",
        "YQ==\n",
        " YQ==",
        "Y Q==",
        "YQ==YQ==",
        "Y!Q=",
        "=",
        "A",
        "YWJ=",
        "é===",
        "YQ==\x00",
        "Y\uff21==",
    ],
)
def test_t23_a_second_spelling_of_the_same_bytes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        decode_base64(text)
    with pytest.raises(ValueError, match="base64"):
        decode_base64_either(text)


def test_t23_the_alphabets_are_told_apart() -> None:
    raw = b"\xfb\xff\xbe\xfb\xff\xbe"

    assert decode_base64_either("-_---_--") == decode_base64_either("+/+++/++") == decode_base64("+/+++/++") == raw
    with pytest.raises(ValueError, match="not base64"):
        decode_base64("-_---_--")
    with pytest.raises(ValueError, match="two base64 alphabets"):
        decode_base64_either("-_--+/++")


@given(st.binary(min_size=1, max_size=40), st.data())
def test_t23_a_mutated_text_never_decodes_to_the_same_bytes(raw: bytes, data: st.DataObject) -> None:
    text = encode_base64(raw)
    position = data.draw(st.integers(0, len(text)))
    inserted = data.draw(st.sampled_from(["\n", " ", "=", "\x00", "!", "-", "A", "é"]))
    mutated = text[:position] + inserted + text[position + data.draw(st.integers(0, 1)) :]

    try:
        decoded = decode_base64(mutated)
    except ValueError:
        return
    assert (decoded == raw) == (mutated == text)
