"""What is said of a request's body that does not fit."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import pytest

from chainloop_ci.api.limits import COMMIT_PATTERN, LINES_PATTERN, UUID_PATTERN
from chainloop_ci.api.record import about, parse_request
from chainloop_ci.api.words import OverrideKind
from chainloop_ci.contract.limits import NAME_PATTERN
from chainloop_ci.digests import Digest
from chainloop_ci.errors import MAX_FINDINGS, RequestInvalidError
from chainloop_ci.records import record


@record
class Box:
    """A record of the tests."""

    name: Annotated[str, about(pattern=NAME_PATTERN, maxLength=63)]
    kind: OverrideKind = OverrideKind.BLOCK
    count: Annotated[int, about(minimum=2, maximum=4)] = 2
    is_open: bool = False
    until: datetime | None = None
    digest: Digest | None = None
    id: Annotated[str | None, about(pattern=UUID_PATTERN)] = None
    commit: Annotated[str | None, about(pattern=COMMIT_PATTERN)] = None
    text: Annotated[str, about(pattern=LINES_PATTERN, minLength=1, maxLength=5)] = "x"
    tags: Annotated[tuple[str, ...], about(maxItems=2, uniqueItems=True)] = ()
    code: Annotated[str, about(pattern="^[0-9]{4}$")] = "0000"


def refused(**changes: Any) -> list[tuple[str | None, str]]:
    """Return what is said of a body that is right but for the changes; `…` takes a field away."""
    body = {name: value for name, value in {"name": "app", **changes}.items() if value is not ...}
    with pytest.raises(RequestInvalidError) as refusal:
        parse_request(Box, body)
    return [(finding.path, finding.message) for finding in refusal.value.findings]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", 5, "expected text, found the number 5"),
        ("name", "A b", "'A b' must contain only lowercase letters, numbers, and hyphens, and begin and end with a"),
        ("name", "a" * 64, "expected at most 63 characters, found 64"),
        ("kind", "nope", "expected one of block, distrust, override, found 'nope'"),
        ("count", 1, "expected 2 or more, found the number 1"),
        ("count", 5, "expected 4 or less, found the number 5"),
        ("count", True, "expected a number, found true"),
        ("isOpen", "yes", "expected true or false, found 'yes'"),
        ("until", "soon", "expected a time such as 2026-12-31T12:00:00Z, found 'soon'"),
        ("digest", "sha256:0", "'sha256:0' is no digest: `sha256:` and 64 hexadecimal digits in lower case"),
        ("id", "1", "'1' is no id (a UUID in lower case)"),
        ("commit", "abc", "'abc' is not the whole hash of a commit in lower case"),
        ("text", "", "expected something, found nothing"),
        ("text", "a\x00", "'a\\x00' holds a control character"),
        ("tags", {}, "expected a list, found an object"),
        ("tags", ["a", "b", "c"], "expected at most 2 items, found 3"),
        ("tags", ["a", "a"], "an item is there twice"),
        ("code", "12", "'12' does not match ^[0-9]{4}$"),
    ],
)
def test_what_is_wrong_is_said_in_words(field: str, value: object, said: str) -> None:
    [(path, message)] = refused(**{field: value})

    assert path == f"/{field}"
    assert message.startswith(said)


def test_a_long_value_does_not_push_out_what_is_wrong_with_it() -> None:
    assert refused(text="x" * 9999) == [("/text", "expected at most 5 characters, found 9999")]


def test_a_missing_field_is_named_where_it_belongs() -> None:
    assert refused(name=...) == [("/name", "the field 'name' is missing")]


def test_an_unknown_field_comes_with_the_one_that_was_meant() -> None:
    assert refused(commmit="x") == [("/commmit", "unknown field 'commmit'; did you mean commit?")]
    [(_, message)] = refused(quux="x")
    assert message == (
        "unknown field 'quux'; known here: name, kind, count, isOpen, until, digest, id, commit, text, tags, code"
    )


def test_t30_no_more_is_looked_into_than_is_told() -> None:
    found = refused(**{f"field-{number}": 1 for number in range(10 * MAX_FINDINGS)})

    assert len(found) <= MAX_FINDINGS + 1
