"""The hostile texts are what they say they are."""

from __future__ import annotations

import json

from tests.family.github_files import read_commands, read_pairs
from tests.family.hostile import CANARY_FILE, CANARY_NAME, DATA, HOSTILE, LEAST


def test_the_file_for_other_languages_is_up_to_date() -> None:
    assert json.loads(DATA.read_text(encoding="ascii")) == list(HOSTILE)


def test_there_are_enough_of_them_and_any_can_be_an_argument() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= LEAST
    assert not any("\0" in text for text in HOSTILE)
    assert max(map(len, HOSTILE)) >= 10_000
    assert all(len(text.encode()) < 100_000 for text in HOSTILE)


def test_the_list_is_obeyed_where_nobody_takes_care() -> None:
    # Else a test that finds nothing would prove nothing.
    obeyed = [text for text in HOSTILE if any(CANARY_NAME in str(command) for command in read_commands(text))]
    injected = [text for text in HOSTILE if _injects(f"name=value{text}\n")]
    run = [text for text in HOSTILE if f"touch {CANARY_FILE}" in text]

    assert (len(obeyed) > 100, len(injected) > 30, len(run) > 25) == (True, True, True)


def _injects(file: str) -> bool:
    try:
        return CANARY_NAME in read_pairs(file)
    except Exception:
        return False
