"""The event document is helpful and never a reason to stop."""

from __future__ import annotations

import pytest

from chainloop_ci.workspace.event import MAX_EVENT_BYTES, read_event


def test_a_document_is_read(tmp_path):
    path = tmp_path / "event.json"
    path.write_text('{"pull_request": {"number": 17}}')

    found = read_event(path)

    assert found.document == {"pull_request": {"number": 17}}
    assert found.notice is None


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"a": ', "no JSON"),
        (b"[1]", "found list"),
        (b"\xff\xfe\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'"' + b"x" * MAX_EVENT_BYTES + b'"', "larger than 8 MiB"),
    ],
    ids=["truncated", "array", "not-utf8", "deep", "large"],
)
def test_a_document_that_cannot_be_used_is_empty_and_says_why(tmp_path, raw, reason):
    path = tmp_path / "event.json"
    path.write_bytes(raw)

    found = read_event(path)

    assert found.document == {}
    assert reason in str(found.notice)


@pytest.mark.parametrize("path", ["absent.json", ".", "/dev/null"])
def test_what_is_no_file_is_empty_and_says_why(tmp_path, path):
    found = read_event(tmp_path / path)

    assert found.document == {}
    assert "GITHUB_EVENT_PATH" in str(found.notice)
