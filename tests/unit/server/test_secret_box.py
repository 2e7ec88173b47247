from __future__ import annotations

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.errors import ConfigInvalidError
from server.config import ServerConfig
from server.errors import SecretUnreadableError
from server.secret_box import SealedFor, open_secret_box

PLACE = SealedFor("registration", "org-1", "registration-1", "https://github.com")
TEXT = "canary-41d0-credential"
OLD, NEW = b"o" * 32, b"n" * 32


def box(*keys: bytes):
    return open_secret_box(ServerConfig(Path("/nowhere"), secret_keys=keys), os.urandom)


@given(st.text())
def test_what_was_sealed_opens_in_its_place(text):
    assert box(OLD).open(box(OLD).seal(text, PLACE), PLACE) == text


def test_the_same_text_is_never_sealed_the_same():
    assert box(OLD).seal(TEXT, PLACE) != box(OLD).seal(TEXT, PLACE)


@pytest.mark.parametrize("field", ["purpose", "organization_id", "owner_id", "host"])
def test_r44_a_sealed_text_that_was_moved_does_not_open(field):
    sealed = box(OLD).seal(TEXT, PLACE)

    with pytest.raises(SecretUnreadableError) as refused:
        box(OLD).open(sealed, replace(PLACE, **{field: "https://evil.example"}))

    assert TEXT not in f"{refused.value}{refused.value.hint}"


def test_r44_parts_of_a_place_do_not_run_into_each_other():
    sealed = box(OLD).seal(TEXT, SealedFor("a", "b", "c", "d"))

    for other in (SealedFor("ab", "", "c", "d"), SealedFor("a", "bc", "", "d"), SealedFor('a", "b', "", "c", "d")):
        with pytest.raises(SecretUnreadableError):
            box(OLD).open(sealed, other)


def test_every_altered_byte_is_found():
    sealed = box(OLD).seal("x", PLACE)
    head, _, text = sealed.rpartition(":")
    raw = base64.urlsafe_b64decode(text)

    for place in range(len(raw)):
        altered = bytearray(raw)
        altered[place] ^= 1
        with pytest.raises(SecretUnreadableError):
            box(OLD).open(f"{head}:{base64.urlsafe_b64encode(bytes(altered)).decode()}", PLACE)


@pytest.mark.parametrize("sealed", ["", TEXT, "sb1:", "sb1:key:", "sb1:key:%%%", "sb2:key:AAAA", "sb1:key:AAAA"])
def test_what_is_no_sealed_text_is_refused_without_being_shown(sealed):
    with pytest.raises(SecretUnreadableError) as refused:
        box(OLD).open(sealed, PLACE)

    assert TEXT not in str(refused.value)


def test_after_a_change_of_keys_both_open_and_the_new_one_seals():
    before = box(OLD).seal(TEXT, PLACE)
    both = box(NEW, OLD)

    assert both.open(before, PLACE) == TEXT
    assert not both.is_current(before)
    after = both.seal(TEXT, PLACE)
    assert both.is_current(after)
    assert box(NEW).open(after, PLACE) == TEXT
    with pytest.raises(SecretUnreadableError, match="does not have"):
        box(NEW).open(before, PLACE)


def test_without_a_key_one_is_made_that_only_its_owner_reads(tmp_path):
    config = ServerConfig(tmp_path)

    sealed = open_secret_box(config, os.urandom).seal(TEXT, PLACE)

    assert stat.S_IMODE(config.secret_key_path.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]
    assert open_secret_box(config, os.urandom).open(sealed, PLACE) == TEXT


def test_of_many_that_need_a_key_at_once_one_makes_it(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        sealed = list(
            pool.map(lambda _: open_secret_box(ServerConfig(tmp_path), os.urandom).seal(TEXT, PLACE), range(32))
        )

    opened = open_secret_box(ServerConfig(tmp_path), os.urandom)
    assert {opened.open(each, PLACE) for each in sealed} == {TEXT}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_key_that_another_process_has_made_meanwhile_is_kept(tmp_path):
    config, others = ServerConfig(tmp_path), []

    def random_bytes(size):
        if not others:
            others.append(open_secret_box(config, os.urandom).seal(TEXT, PLACE))
        return os.urandom(size)

    own = open_secret_box(config, random_bytes).seal(TEXT, PLACE)

    opened = open_secret_box(config, os.urandom)
    assert [opened.open(each, PLACE) for each in (own, *others)] == [TEXT, TEXT]


def test_opening_makes_no_key(tmp_path):
    sealed = box(OLD).seal(TEXT, PLACE)

    with pytest.raises(SecretUnreadableError):
        open_secret_box(ServerConfig(tmp_path), os.urandom).open(sealed, PLACE)

    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_operator_is_read_anew_and_never_made(tmp_path):
    path = tmp_path / "keys"
    opened = open_secret_box(ServerConfig(tmp_path, secret_key_file=path), os.urandom)
    with pytest.raises(ConfigInvalidError, match="no such file"):
        opened.seal(TEXT, PLACE)
    assert not path.exists()

    path.write_text(base64.b64encode(OLD).decode() + "\n")
    sealed = opened.seal(TEXT, PLACE)
    path.write_text(f"{base64.b64encode(NEW).decode()}\n{base64.b64encode(OLD).decode()}\n")

    assert opened.open(sealed, PLACE) == TEXT
    assert not opened.is_current(sealed)


@pytest.mark.parametrize("raw", [b"", b"hunter2", b"\xff\xfe", b"A" * 100_000])
def test_a_broken_file_of_keys_is_named_and_kept(raw, tmp_path):
    config = ServerConfig(tmp_path)
    config.secret_key_path.write_bytes(raw)

    with pytest.raises(ConfigInvalidError, match=r"secret\.key") as refused:
        open_secret_box(config, os.urandom).seal(TEXT, PLACE)

    assert config.secret_key_path.read_bytes() == raw
    assert "hunter2" not in str(refused.value)


def test_neither_keys_nor_texts_are_in_what_a_box_prints(tmp_path):
    made = box(b"k" * 32)

    assert "kkkk" not in f"{made!r}{vars(made)!r}"
