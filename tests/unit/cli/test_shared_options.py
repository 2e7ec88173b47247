"""Whether the jobs share a state is one answer, whichever command is asked."""

from __future__ import annotations

import pytest

from chainloop_ci.cli.shared_options import Sharing


@pytest.mark.parametrize("word", ["true", "1", "yes", "on", "y", "T"])
def test_a_variable_that_init_takes_for_yes_is_one_for_the_commands_after_it(word: str) -> None:
    assert Sharing().is_unnamed({"CHAINLOOP_REMOTE_STATE": word})


@pytest.mark.parametrize("word", ["", "false", "0", "n", "maybe"])
def test_any_other_word_shares_nothing(word: str) -> None:
    assert not Sharing().is_wanted({"CHAINLOOP_REMOTE_STATE": word})


def test_a_job_without_secrets_is_alone_whatever_its_variables_say() -> None:
    assert not Sharing(is_alone=True).is_unnamed({"CHAINLOOP_REMOTE_STATE": "true"})
