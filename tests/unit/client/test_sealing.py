from __future__ import annotations

import re

import pytest

from chainloop_ci.client.sealing import Purpose, QueuedHandles, seal, seal_handle, unseal, unseal_handle
from chainloop_ci.errors import NotAllowedError

TOKEN, OTHER = "clp_the-token", "clp_another"
HANDLE = "a-handle-that-nobody-may-see"


def test_what_is_sealed_opens_with_the_same_token() -> None:
    assert unseal(seal(b"state", TOKEN, Purpose.STATE, "run-1"), TOKEN, Purpose.STATE, "run-1") == b"state"


@pytest.mark.parametrize(
    ("token", "purpose", "belongs_to"),
    [(OTHER, Purpose.STATE, "run-1"), (TOKEN, Purpose.HANDLE, "run-1"), (TOKEN, Purpose.STATE, "run-2")],
    ids=["another token", "another purpose", "another run"],
)
def test_it_opens_for_nothing_else(token: str, purpose: Purpose, belongs_to: str) -> None:
    sealed = seal(b"state", TOKEN, Purpose.STATE, "run-1")

    with pytest.raises(NotAllowedError, match="does not open with this token"):
        unseal(sealed, token, purpose, belongs_to)


def test_every_byte_is_authenticated() -> None:
    sealed = seal(b"state", TOKEN, Purpose.STATE)

    for place in range(len(sealed)):
        broken = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(NotAllowedError):
            unseal(broken, TOKEN, Purpose.STATE)


def test_the_same_is_never_sealed_to_the_same_bytes() -> None:
    assert seal(b"state", TOKEN, Purpose.STATE) != seal(b"state", TOKEN, Purpose.STATE)


def test_r14_a_sealed_handle_is_one_line_that_holds_neither_handle_nor_token() -> None:
    sealed = seal_handle(HANDLE, TOKEN)

    assert re.fullmatch(r"[A-Za-z0-9_=-]+", sealed)
    assert HANDLE not in sealed
    assert TOKEN not in sealed
    assert unseal_handle(f" {sealed}\n", TOKEN) == HANDLE


@pytest.mark.parametrize("text", ["", "x", "a handle", "ümlaut", HANDLE, "Q0xTMQ=="])
def test_r14_what_is_no_sealed_handle_is_refused(text: str) -> None:
    with pytest.raises(NotAllowedError):
        unseal_handle(text, TOKEN)


def test_r14_a_sealed_handle_that_was_cut_off_is_refused() -> None:
    with pytest.raises(NotAllowedError):
        unseal_handle(seal_handle(HANDLE, TOKEN)[:-8], TOKEN)


def test_a_line_end_around_a_sealed_handle_does_not_matter() -> None:
    assert unseal_handle(f" {seal_handle(HANDLE, TOKEN)}\n", TOKEN) == HANDLE


def test_r14_a_handle_in_a_file_opens_with_the_same_token_for_the_same_run() -> None:
    sealed = QueuedHandles(TOKEN).seal(HANDLE, "run-1")

    assert HANDLE not in sealed
    assert QueuedHandles(TOKEN).unseal(sealed, "run-1") == HANDLE
    assert QueuedHandles(OTHER).unseal(sealed, "run-1") is None
    assert QueuedHandles(TOKEN).unseal(sealed, "run-2") is None


@pytest.mark.parametrize("text", ["", "ümlaut", HANDLE])
def test_r14_what_is_no_handle_of_a_file_does_not_open(text: str) -> None:
    assert QueuedHandles(TOKEN).unseal(text, "run-1") is None


def test_r14_the_handle_that_jobs_share_is_none_of_a_file() -> None:
    assert QueuedHandles(TOKEN).unseal(seal_handle(HANDLE, TOKEN), "run-1") is None
