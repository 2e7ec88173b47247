"""What is not told is None, and nothing of the form of something else becomes a fact."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.runners.values import (
    clean,
    commit,
    digits,
    identifier,
    link,
    number,
    origin,
    repository,
    server,
    text,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" main ", "main"),
        ("", None),
        (None, None),
        ("a\nb", None),
        ("a\x00b", None),
        ("$(Build.Reason)", None),
        ("%teamcity.build.branch%", None),
        ("100% sure", "100% sure"),
        ("x" * 129, None),
        ("\udcff", None),
    ],
)
def test_a_text_is_one_resolved_line(value, expected):
    assert clean(value, 128) == expected


def test_the_first_variable_that_says_something_counts():
    env = {"EMPTY": " ", "FIRST": "1", "SECOND": "2"}

    assert text(env, "ABSENT", "EMPTY", "FIRST", "SECOND") == "1"
    assert identifier(env, "EMPTY", "SECOND") == "2"
    assert number(env, "EMPTY", "SECOND") == 2


def test_an_id_that_is_too_long_is_not_cut():
    assert identifier({"ID": "x" * 129, "OTHER": "y"}, "ID", "OTHER") == "y"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("A" * 40, "a" * 40),
        ("a" * 64, "a" * 64),
        ("a" * 41, None),
        ("a" * 39, None),
        ("g" * 40, None),
        ("31337", None),
        (None, None),
        (7, None),
    ],
)
def test_a_commit_is_a_whole_one(value, expected):
    assert commit(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("17", "17"),
        (" 17 ", "17"),
        ("0", "0"),
        ("-1", None),
        ("²", None),
        ("١٧", None),
        ("1" * 10, None),
        ("", None),
        (None, None),
    ],
)
def test_a_number_is_plain_and_short(value, expected):
    assert digits(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://ci.test/job/7/", "https://ci.test/job/7/"),
        ("http://ci.test:8080/a?b=c#d", "http://ci.test:8080/a?b=c#d"),
        ("https://user:secret@ci.test/job", "https://ci.test/job"),
        ("https://a@b@ci.test", "https://ci.test"),
        ("https://ci.test/@scope", "https://ci.test/@scope"),
        ("https://", None),
        ("https:///path", None),
        ("https://user@", None),
        ("javascript:alert(1)", None),
        ("ftp://ci.test", None),
        ("https://ci.test/a b", None),
        ('https://ci.test/"x', None),
        ("https://ci.test/" + "x" * 2048, None),
        (None, None),
    ],
)
def test_t43_a_link_is_an_address_that_may_be_opened_and_has_no_credentials(value, expected):
    assert link(value) == expected


def test_a_server_ends_without_a_slash_and_an_origin_without_a_path():
    assert server("https://ci.test/teamcity/") == "https://ci.test/teamcity"
    assert origin("https://u:p@ci.test:8443/gh/acme?x") == "https://ci.test:8443"
    assert (server(""), origin("nonsense")) == (None, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://bot:secret@git.test/acme/api.git", "https://git.test/acme/api.git"),
        ("git@github.com:acme/api.git", "git@github.com:acme/api.git"),
        ("acme/api", "acme/api"),
        ("$(Build.Repository.Uri)", None),
        (None, None),
    ],
)
def test_a_repository_is_an_address_or_a_path_without_credentials(value, expected):
    assert repository(value) == expected


@given(st.text(max_size=60).map(lambda end: "https://" + end))
def test_what_counts_as_a_link_is_what_the_control_plane_accepts(value):
    found = link(value)

    assert found is None or re.fullmatch(r"https?://[^\x00-\x20\x7f-\x9f\"<>\\^`{|}]+", found)
