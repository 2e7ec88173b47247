import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.errors import RequestInvalidError
from server.model.paging import Paging, bind

BINDING = bind("workflows", "org-1", project="app")
ROWS = [("2026-11-20T12:00:00.000000Z", f"id-{number}") for number in range(5)]


def key(row):
    return row


def test_a_page_ends_with_a_cursor_only_when_there_is_more():
    page = Paging(2).page(ROWS[:3], BINDING, key)
    last = Paging(2).page(ROWS[:2], BINDING, key)

    assert page.items == tuple(ROWS[:2])
    assert page.next_cursor is not None
    assert last.next_cursor is None


def test_an_empty_list_is_an_empty_page():
    assert Paging(2).page([], BINDING, key).items == ()


def test_a_cursor_leads_behind_the_last_row_of_its_page():
    cursor = Paging(2).page(ROWS[:3], BINDING, key).next_cursor

    assert Paging(2, cursor).after(BINDING, ("", "")) == ROWS[1]


def test_without_cursor_a_page_begins_at_the_beginning():
    assert Paging(2).after(BINDING, ("", "")) is None


@pytest.mark.parametrize(
    "other",
    [
        bind("workflows", "org-1", project="other"),
        bind("workflows", "org-1"),
        bind("workflows", "org-2", project="app"),
        bind("projects", "org-1", project="app"),
    ],
)
def test_a_cursor_of_another_list_organization_or_filter_is_refused(other):
    cursor = Paging(2).page(ROWS[:3], BINDING, key).next_cursor

    with pytest.raises(RequestInvalidError) as caught:
        Paging(2, cursor).after(other, ("", ""))

    assert caught.value.findings[0].path == "?cursor"


def test_filters_that_are_none_count_as_absent():
    assert bind("workflows", "org-1", project=None) == bind("workflows", "org-1")


def made_up(*parts):
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "!",
        "é",
        made_up(),
        made_up(BINDING),
        made_up(BINDING, 1, 2),
        made_up(BINDING, "a", None),
        made_up(BINDING, "a", ["b"]),
        made_up(BINDING, True, "b"),
        base64.urlsafe_b64encode(b"[" * 20000).decode(),
        base64.urlsafe_b64encode(b"3").decode(),
        base64.urlsafe_b64encode(b'{"a":1}').decode(),
    ],
)
def test_what_is_no_cursor_is_refused(cursor):
    with pytest.raises(RequestInvalidError):
        Paging(2, cursor).after(BINDING, ("", ""))


def test_an_integer_that_no_database_holds_is_refused():
    with pytest.raises(RequestInvalidError):
        Paging(2, made_up(BINDING, 2**63)).after(BINDING, (0,))


@given(st.text(max_size=60))
def test_any_text_is_either_a_cursor_or_refused(cursor):
    with pytest.raises(RequestInvalidError):
        Paging(2, cursor).after(BINDING, ("", ""))
