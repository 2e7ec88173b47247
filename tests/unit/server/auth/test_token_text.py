import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.auth.token_text import holds_token, is_token, render_token, token_sha256

TOKEN = render_token(bytes(range(32)))


def test_a_token_has_prefix_randomness_and_checksum():
    assert re.fullmatch(r"clp_[0-9A-Za-z]{43}[0-9A-Za-z]{6}", TOKEN)


@given(st.binary(min_size=32, max_size=32))
def test_every_randomness_makes_a_token(randomness):
    assert is_token(render_token(randomness))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_different_randomness_makes_different_tokens(first, second):
    assert (render_token(first) == render_token(second)) is (first == second)


@pytest.mark.parametrize("position", [4, 20, 46, 47, 52])
def test_one_changed_character_breaks_the_checksum(position):
    other = "A" if TOKEN[position] != "A" else "B"

    assert not is_token(TOKEN[:position] + other + TOKEN[position + 1 :])


@pytest.mark.parametrize(
    "text", ["", "clp_", TOKEN[:-1], TOKEN + "0", TOKEN + "\n", "CLP_" + TOKEN[4:], TOKEN[:-1] + "é"]
)
def test_other_texts_are_no_tokens(text):
    assert not is_token(text)


def test_too_little_randomness_is_a_defect():
    with pytest.raises(ValueError, match="32 random bytes"):
        render_token(b"short")


def test_what_is_stored_says_nothing_about_the_token():
    stored = token_sha256(TOKEN)

    assert re.fullmatch(r"[0-9a-f]{64}", stored)
    assert token_sha256("any \udcff text") != stored


def test_a_token_is_found_inside_a_text():
    token = render_token(bytes(range(32)))

    assert all(map(holds_token, (token, f"x{token}", f"Bearer {token}\n", f"clp_{token}", f"{token}{token}")))


@pytest.mark.parametrize("text", ["", "clp_", "clp_" + "a" * 49, "no token at all"])
def test_a_text_without_a_token_holds_none(text):
    assert not holds_token(text)
