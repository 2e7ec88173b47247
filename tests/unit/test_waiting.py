"""What waits in tests ends, in time or with what was waited for."""

from __future__ import annotations

import pytest

from tests.waiting import wait_for


def test_what_comes_to_pass_is_returned() -> None:
    answers = iter(["", "", "there"])

    assert wait_for(lambda: next(answers), pause_seconds=0) == "there"


def test_what_does_not_come_to_pass_is_said_and_ends() -> None:
    with pytest.raises(LookupError, match="the run ends: not within 0 s"):
        wait_for(lambda: False, "the run ends", seconds=0, pause_seconds=0, error=LookupError)
