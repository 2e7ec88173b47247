from __future__ import annotations

from pathlib import Path

import pytest

from chainloop_ci.digests import sha256_digest
from tests.unit.cli.answers import problem, reply
from tests.unit.stub_server import Reply

CONTENT = b"content" * 1000
DIGEST = sha256_digest(CONTENT)


def stored(name: str = "app.bin", content: bytes = CONTENT, cut: int | None = None) -> Reply:
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(len(content)),
    }
    return Reply(200, content, headers, cut)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_upload_streams_the_file_and_shows_its_digest(operate, stub, tmp_path: Path) -> None:
    (tmp_path / "app.bin").write_bytes(CONTENT)
    answer = {"digest": DIGEST, "sizeBytes": len(CONTENT), "filename": "app.bin", "createdAt": "2022-11-03T12:24:00Z"}
    stub.replies = [reply(answer, 201)]

    result = operate("artifact", "upload", "-f", "app.bin")

    assert (result.status, stub.seen[0].body) == (0, CONTENT)
    assert stub.seen[0].path == "/api/v1/artifacts?filename=app.bin"
    assert DIGEST in result.out
    assert "INF uploaded file=app.bin size=7.00kB" in result.err


def test_a_job_that_uploads_without_its_run_is_told_what_to_type(operate, stub, tmp_path: Path) -> None:
    (tmp_path / "my app.bin").write_bytes(CONTENT)
    finding = {"code": "missing-run", "message": "expected the id of a run, found none", "path": "?run"}
    stub.replies = [problem(403, "not-allowed", "the query parameter `run` is missing", findings=[finding])]

    result = operate("artifact", "upload", "-f", "my app.bin")

    assert result.status == 5
    assert "query parameter" not in result.err
    assert "chainloop attestation add --name NAME --value 'my app.bin'" in result.err


def test_another_refusal_of_an_upload_keeps_its_words(operate, stub, tmp_path: Path) -> None:
    (tmp_path / "app.bin").write_bytes(CONTENT)
    stub.replies = [problem(403, "not-allowed", "this token may only read")]

    assert "this token may only read" in operate("artifact", "upload", "-f", "app.bin").err


def test_upload_of_what_is_no_file_asks_nothing(operate, stub, tmp_path: Path) -> None:
    result = operate("artifact", "upload", "-f", "absent")

    assert result.status == 1
    assert "absent" in result.err
    assert stub.seen == []


def test_an_upload_that_was_stored_otherwise_is_an_error(operate, stub, tmp_path: Path) -> None:
    (tmp_path / "app.bin").write_bytes(CONTENT)
    answer = {"digest": sha256_digest(b""), "sizeBytes": 0, "filename": "a", "createdAt": "2022-11-03T12:24:00Z"}
    stub.replies = [reply(answer, 201)]

    result = operate("artifact", "upload", "-f", "app.bin", "-o", "json")

    assert (result.status, result.json["error"]["code"]) == (1, "digest-mismatch")


def test_download_saves_under_the_uploaded_name_and_says_the_lines_of_the_transcript(
    operate, stub, tmp_path: Path
) -> None:
    stub.replies = [stored("rootfs.tar.gz")]

    result = operate("artifact", "download", "-d", DIGEST)

    target = tmp_path / "rootfs.tar.gz"
    lines = result.err.splitlines()
    assert (result.status, target.read_bytes()) == (0, CONTENT)
    assert lines[0] == f"INF downloading file name=rootfs.tar.gz to={target}"
    assert lines[-1] == f"INF file downloaded! path={target}"
    assert names(tmp_path) == {"rootfs.tar.gz"}


def test_download_makes_the_folder(operate, stub, tmp_path: Path) -> None:
    stub.replies = [stored()]

    operate("artifact", "download", "-d", DIGEST, "--path", "a/b")

    assert (tmp_path / "a" / "b" / "app.bin").read_bytes() == CONTENT


def test_a_name_that_somebody_else_chose_replaces_nothing(operate, stub, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("mine")
    stub.replies = [stored("Makefile")]

    result = operate("artifact", "download", "-d", DIGEST)

    assert result.status == 1
    assert (tmp_path / "Makefile").read_text() == "mine"
    assert "--output" in result.err


def test_a_name_that_the_user_chose_does(operate, stub, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("old")
    stub.replies = [stored("Makefile")]

    result = operate("artifact", "download", "-d", DIGEST, "--output", "mine")

    assert (result.status, (tmp_path / "mine").read_bytes()) == (0, CONTENT)


def test_a_name_cannot_lead_out_of_the_folder(operate, stub, tmp_path: Path) -> None:
    stub.replies = [stored("../../evil")]

    operate("artifact", "download", "-d", DIGEST, "--path", "safe")

    assert names(tmp_path) == {"safe"}
    assert names(tmp_path / "safe") == {"evil"}


def test_a_dash_is_standard_output(operate, stub, tmp_path: Path) -> None:
    stub.replies = [stored()]

    result = operate("artifact", "download", "-d", DIGEST, "--output", "-")

    assert (result.raw, names(tmp_path)) == (CONTENT, set())


@pytest.mark.parametrize("words", [(), ("--output", "f"), ("--output", "-")])
def test_other_bytes_are_refused_and_nothing_is_left(operate, stub, tmp_path: Path, words: tuple[str, ...]) -> None:
    stub.replies = [stored(content=b"other")]

    result = operate("artifact", "download", "-d", DIGEST, *words)

    assert (result.status, result.raw, names(tmp_path)) == (1, b"", set())
    assert DIGEST in result.err


def test_a_download_that_breaks_off_leaves_nothing(operate, stub, tmp_path: Path) -> None:
    stub.replies = [stored(cut=100)]

    result = operate("artifact", "download", "-d", DIGEST)

    assert (result.status, names(tmp_path)) == (6, set())


def test_an_absent_artifact_is_not_found(operate, stub) -> None:
    stub.replies = [problem(404, "not-found", "this organization has no such content")]

    result = operate("artifact", "download", "-d", DIGEST)

    assert result.status == 1
    assert "no such content" in result.err


@pytest.mark.parametrize("words", [("-d", "sha256:abc"), (), ("-d", DIGEST, "--path", "a", "--output", "b")])
def test_what_cannot_be_meant_is_refused(operate, stub, words: tuple[str, ...]) -> None:
    assert operate("artifact", "download", *words).status == 2
    assert stub.seen == []


def test_an_empty_file_is_refused_here(operate, stub, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    result = operate("artifact", "upload", "-f", "empty")

    assert (result.status, stub.seen) == (1, [])
    assert "ERR empty: file is empty" in result.err
    assert "hint: " in result.err


def test_a_folder_is_refused_here(operate, stub, tmp_path: Path) -> None:
    result = operate("artifact", "upload", "-f", ".")

    assert (result.status, stub.seen) == (1, [])
    assert "expected a file, found a folder" in result.err
    assert "pack the folder" in result.err
