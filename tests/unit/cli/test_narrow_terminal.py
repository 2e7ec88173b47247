"""What somebody copies from a terminal of 80 places: ids, digests and commands are never broken in two."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.answers import key, reply, revision
from tests.unit.cli.conftest import Result
from tests.unit.cli.test_attestation_describe import RAW as BUNDLE
from tests.unit.cli.test_run import RAW, RUN, detail

URL = {"CHAINLOOP_CONTROL_PLANE_API": "https://cp.test"}
NARROW = {"COLUMNS": "80"}
COPIED = re.compile(
    r"sha256:[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|chainloop [a-z]+ [a-z]+ --[^│]*\S"
)


def require_whole(narrow: Result, wide: Result) -> None:
    """Compare what can be copied from a terminal with what a file would have got."""
    copied = set(COPIED.findall(wide.out))
    assert copied
    assert {text for text in copied if text not in narrow.out} == set()


@pytest.mark.parametrize(
    ("words", "replies"),
    [
        (("workflow", "run", "describe", "--id", RUN), [detail(), RAW]),
        (("workflow", "contract", "describe", "release", "--revision", "1"), [reply(revision())]),
        (("organization", "key", "create", "--name", "release", "--organization-wide"), [reply(key(), 201)]),
    ],
)
def test_a_record_of_the_control_plane(operate, stub, tmp_path: Path, words, replies) -> None:
    stub.replies = list(replies)
    narrow = operate(*words, typed="", env=NARROW)
    for file in tmp_path.glob("release.*"):
        file.unlink()
    stub.replies = list(replies)
    wide = operate(*words)

    require_whole(narrow, wide)


def test_attestation_describe(chainloop: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_bytes(BUNDLE)
    words = ("attestation", "describe", "--bundle", "bundle.json")

    require_whole(chainloop(*words, terminal=True, env=NARROW), chainloop(*words))


def test_what_to_type_in_the_status(chainloop: Callable[..., Result], plane) -> None:
    chainloop("attestation", "init", env=URL, plane=plane)
    words = ("attestation", "status")

    wide = chainloop(*words)

    assert "chainloop attestation add --name binary --value" in wide.out
    require_whole(chainloop(*words, terminal=True, env=NARROW), wide)
