"""What looks for secrets finds them: a search that finds nothing proves nothing otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainloop_ci.signing.generate import generate_key
from tests.canaries import find_canaries, plant, require_silence, require_silent_files, stamp

TOKEN = "clp_" + "a1B2" * 12


def test_a_token_in_a_text_is_found() -> None:
    with pytest.raises(AssertionError, match=r"a secret stands in the log: clp_a1…"):
        require_silence("the log", f"DBG sent authorization={TOKEN}", plant({"CHAINLOOP_TOKEN": TOKEN}))


def test_the_command_that_hides_a_secret_may_hold_it() -> None:
    assert find_canaries(f"::add-mask::{TOKEN}\nINF fine", [TOKEN]) == []


def test_a_key_is_found_line_by_line_whether_it_is_a_path_or_a_text(tmp_path: Path) -> None:
    private, _ = generate_key()
    (tmp_path / "key").write_text(private)
    lines = [line for line in private.splitlines() if not line.startswith("-----")]

    for value in (private, str(tmp_path / "key")):
        assert find_canaries(f"caused by {lines[-1]}", plant({"CHAINLOOP_SIGNING_KEY": value}))


def test_a_file_that_was_written_since_then_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "before").write_text(TOKEN)
    before = stamp(tmp_path)
    require_silent_files(tmp_path, before, [TOKEN])
    (tmp_path / "below").mkdir()
    late = tmp_path / "below" / "state.json"
    late.write_text(f'{{"token": "{TOKEN}"}}')

    with pytest.raises(AssertionError, match=r"a secret stands in .*state\.json"):
        require_silent_files(tmp_path, before, [TOKEN])
