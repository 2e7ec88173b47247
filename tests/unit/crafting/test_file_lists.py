"""Lists of files are read as the programs write them, and every line that is none is named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.crafting.file_lists import (
    MAX_LIST_BYTES,
    MAX_LISTED_FILES,
    ListedFile,
    parse_artifact_list,
    parse_checksums,
)
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import ConfigInvalidError, LimitExceededError

HEX = "0123456789abcdef" * 4
OTHER = "f" * 64
DIGEST = Digest(f"sha256:{HEX}")


def sums(text: str) -> list[tuple[str, str | None]]:
    """Return paths and digests of a checksums file."""
    return [(file.path, file.digest) for file in parse_checksums(text.encode("utf-8", "surrogateescape"), "SUMS")]


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (f"{HEX}  app", "app"),
        (f"{HEX} *app", "app"),
        (f"{HEX.upper()}  app", "app"),
        (f"sha256:{HEX}  app", "app"),
        (f"SHA256:{HEX.upper()} *app", "app"),
        (f"{HEX} app", "app"),
        (f"{HEX}\tapp", "app"),
        (f"{HEX}  dist/a b.tar", "dist/a b.tar"),
        (f"{HEX}   leading space", " leading space"),
        (f"{HEX}  *star", "*star"),
        (f"\\{HEX}  a\\nb\\\\c\\rd", "a\nb\\c\rd"),
        (f"{HEX}  a\\nb", "a\\nb"),
        (f"SHA256 (dist/app (1)) = {HEX}", "dist/app (1)"),
        (f"\\SHA256 (a\\nb) = {HEX}", "a\nb"),
        (f"{HEX}  \udcff.bin", "\udcff.bin"),
    ],
)
def test_every_form_of_a_line_is_read(line, path) -> None:
    assert sums(f"{line}\n") == [(path, DIGEST)]


def test_blank_lines_comments_and_line_ends_of_windows_are_no_files() -> None:
    assert sums(f"\ufeff# made by the build\r\n\r\n{HEX}  app\r\n") == [("app", DIGEST)]


def test_a_line_knows_its_number() -> None:
    assert parse_checksums(f"\n{HEX}  app\n".encode(), "SUMS") == (ListedFile("app", 2, DIGEST),)


def test_the_same_line_twice_is_one_file() -> None:
    assert sums(f"{HEX}  app\n{HEX} *app\n") == [("app", DIGEST)]


def test_everything_that_is_wrong_is_named_with_its_line() -> None:
    text = f"app\n{HEX}  app\n{HEX[:40]}  app.sha1\n{OTHER}  app\n{HEX}  -\n\\{HEX}  a\\tb\n{HEX}  \n"

    with pytest.raises(ConfigInvalidError) as caught:
        sums(text)

    found = [(finding.line, finding.code) for finding in caught.value.findings]
    assert found == [
        (1, "invalid-line"),
        (3, "invalid-line"),
        (4, "duplicate-name"),
        (5, "invalid-line"),
        (6, "invalid-line"),
        (7, "invalid-line"),
    ]
    assert "SUMS" in caught.value.message
    assert "sha1sum" in (caught.value.hint or "")


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="the sha256sum program is not here")
@pytest.mark.parametrize("options", [(), ("--binary",), ("--tag",)], ids=" ".join)
def test_what_sha256sum_writes_is_read(tmp_path: Path, options) -> None:
    names = ["app", "a b", "*star", "back\\slash", "new\nline", "carriage\rreturn", "ä", "#x", "(x) = y"]
    for name in names:
        (tmp_path / name).write_text(name)
    done = subprocess.run(("sha256sum", *options, *names), cwd=tmp_path, capture_output=True, check=True)

    found = parse_checksums(done.stdout, "SUMS")

    assert {file.path: file.digest for file in found} == {name: sha256_digest(name.encode()) for name in names}


@given(
    st.dictionaries(
        st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1, max_size=30).filter(
            lambda name: name != "-" and name.strip() == name
        ),
        st.binary(min_size=32, max_size=32),
        max_size=6,
    ),
    st.booleans(),
)
def test_any_names_come_back_as_they_were_written(files, is_binary) -> None:
    def line(name: str, digest: bytes) -> str:
        escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        mark = "*" if is_binary else " "
        return f"{'' if escaped == name else chr(92)}{digest.hex()} {mark}{escaped}\n"

    found = sums("".join(line(name, digest) for name, digest in files.items()))

    assert found == [(name, f"sha256:{digest.hex()}") for name, digest in files.items()]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("dist/app\n\nreports/a.xml\r\n", [("dist/app", 1), ("reports/a.xml", 3)]),
        ("app\napp\n", [("app", 1)]),
        (json.dumps(["dist/app", "b"]), [("dist/app", None), ("b", None)]),
        (json.dumps([{"name": "app", "path": "dist/app", "type": "Binary"}]), [("dist/app", None)]),
        (json.dumps({"total_count": 1, "artifacts": [{"name": "app", "digest": DIGEST}]}), [("app", None)]),
        ("\ufeff[]", []),
        ("", []),
    ],
)
def test_every_form_of_an_artifact_list_is_read(document, expected) -> None:
    found = parse_artifact_list(document.encode(), "list")

    assert [(file.path, file.line) for file in found] == expected
    assert {file.digest for file in found} <= {None}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("[1, {}, null]", "/0: expected a path"),
        ('{"files": []}', "the list `artifacts`"),
        ('["a"', "list cannot be read"),
        ('[{"name": "a", "name": "b"}]', "list cannot be read"),
    ],
)
def test_what_is_no_artifact_list_is_refused(document, message) -> None:
    with pytest.raises(ConfigInvalidError, match=message):
        parse_artifact_list(document.encode(), "list")


def test_every_entry_that_is_none_is_named() -> None:
    with pytest.raises(ConfigInvalidError) as caught:
        parse_artifact_list(b'["a", 1, {"path": ""}]', "list")

    assert [finding.path for finding in caught.value.findings] == ["/1", "/2"]


@pytest.mark.parametrize("parse", [parse_checksums, parse_artifact_list])
def test_a_list_is_bounded(parse) -> None:
    many = "".join(f"{HEX}  {number}\n" for number in range(MAX_LISTED_FILES + 1))

    with pytest.raises(LimitExceededError, match="at most 10000"):
        parse(many.encode(), "list")
    with pytest.raises(LimitExceededError, match="larger than 4 MiB"):
        parse(b"x" * (MAX_LIST_BYTES + 1), "list")


def test_names_have_the_bytes_that_the_file_system_has() -> None:
    assert os.fsencode(sums(f"{HEX}  \udcff\n")[0][0]) == b"\xff"
