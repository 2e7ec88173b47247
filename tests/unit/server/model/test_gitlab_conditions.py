from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.model.ci_files import Fires
from server.model.gitlab_conditions import evaluate

KNOWN = {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main", "CI_COMMIT_TAG": None}


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ('$CI_PIPELINE_SOURCE == "push"', Fires.YES),
        ("$CI_PIPELINE_SOURCE == 'schedule'", Fires.NO),
        ('$CI_PIPELINE_SOURCE != "push"', Fires.NO),
        ("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", Fires.YES),
        ("${CI_COMMIT_BRANCH}", Fires.YES),
        ("$CI_COMMIT_TAG", Fires.NO),
        ("$CI_COMMIT_TAG == null", Fires.YES),
        ('$CI_COMMIT_TAG == ""', Fires.NO),
        ("$DEPLOY", Fires.MAYBE),
        ("$CI_COMMIT_TAG && $DEPLOY", Fires.NO),
        ("$CI_COMMIT_BRANCH || $DEPLOY", Fires.YES),
        ("$CI_COMMIT_TAG || $DEPLOY", Fires.MAYBE),
        ("$CI_COMMIT_BRANCH =~ /^release/ && $CI_COMMIT_TAG", Fires.NO),
        ("$CI_COMMIT_BRANCH =~ /^main$/i", Fires.MAYBE),
        ('$CI_COMMIT_TAG && $CI_COMMIT_BRANCH || $CI_COMMIT_BRANCH == "main"', Fires.YES),
        ('$CI_COMMIT_TAG && ($CI_COMMIT_BRANCH || $CI_COMMIT_BRANCH == "main")', Fires.NO),
    ],
)
def test_a_condition_holds_does_not_or_cannot_be_known(condition: str, found: Fires) -> None:
    assert evaluate(condition, KNOWN) is found


@pytest.mark.parametrize("condition", ["", "==", "$A ==", "($A", "$A $B", "&& $A", "hello", "$A == /x", "(" * 5000])
def test_what_is_not_understood_is_not_decided(condition: str) -> None:
    assert evaluate(condition, {"A": "1", "B": "1"}) is Fires.MAYBE


@given(st.text("$ABab=!~&|()\"'/ \\n", max_size=60))
def test_no_text_makes_it_fail(condition: str) -> None:
    assert evaluate(condition, {"A": "a", "B": None}) in Fires
