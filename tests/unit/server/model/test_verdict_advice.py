from __future__ import annotations

import pytest

from server.model.verdict_advice import WORDS, state_word
from server.model.verdict_kinds import SURFACES, VerdictKind
from server.model.verdict_summary import render_summary


def test_every_kind_has_words():
    assert set(WORDS) == set(VerdictKind)
    assert len({words.title for words in WORDS.values()}) == len(WORDS)


@pytest.mark.parametrize("kind", VerdictKind)
def test_what_fails_says_what_to_do(kind):
    assert WORDS[kind].advice or state_word(kind) == "passes"


@pytest.mark.parametrize("kind", VerdictKind)
def test_the_state_is_what_a_required_status_does(kind):
    expected = {"passed": "passes", "failed": "fails", "pending": "pending"}[SURFACES[kind].gitlab_check.value]

    assert state_word(kind) == expected


def test_a_summary_gives_the_same_advice_as_the_page():
    text = render_summary("chainloop/app/build", VerdictKind.NOT_MET, "missing: sbom")

    assert WORDS[VerdictKind.NOT_MET].advice in text
