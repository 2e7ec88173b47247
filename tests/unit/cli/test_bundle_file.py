"""What `push --bundle` may write to, on real files."""

from __future__ import annotations

import os
import stat
import sys
import threading

import pytest

from chainloop_ci.attestation.bundle import MAX_BUNDLE_BYTES
from chainloop_ci.cli.bundle_file import BundleFile
from chainloop_ci.cli.output import Output
from chainloop_ci.errors import FileUnwritableError, UsageError
from tests.unit.cli.conftest import Screen

OLDER = b'{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{}}'

posix = pytest.mark.skipif(sys.platform == "win32", reason="devices, pipes and links as POSIX has them")


@pytest.fixture
def make(tmp_path):
    """Return what makes the file that a path means; `output` is what the command writes to."""

    def make(typed: str, output: Output | None = None) -> BundleFile:
        return BundleFile(
            typed,
            cwd=tmp_path,
            belongs_to_state=lambda path: path.name == "state.json",
            output=output or Output(Screen(), Screen(), {}),
        )

    return make


def test_a_new_file_is_for_its_user_only_and_is_named(make, tmp_path) -> None:
    output = Output(Screen(), Screen(), {})
    file = make("out.json", output)

    file.check()
    file.write(b"bundle")

    assert (tmp_path / "out.json").read_bytes() == b"bundle"
    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o600
    assert output.stderr.getvalue() == "INF bundle written path=out.json\n"


def test_a_file_that_was_there_is_replaced_and_that_is_said(make, tmp_path) -> None:
    (tmp_path / "out.json").write_bytes(OLDER)
    output = Output(Screen(), Screen(), {})

    make("out.json", output).write(b"bundle")

    assert (tmp_path / "out.json").read_bytes() == b"bundle"
    assert "in place of the one that was there" in output.stderr.getvalue()


@pytest.mark.parametrize("before", [None, OLDER])
def test_the_check_changes_nothing(make, tmp_path, before) -> None:
    if before:
        (tmp_path / "out.json").write_bytes(before)
    listed = list(tmp_path.iterdir())

    make("out.json").check()

    assert list(tmp_path.iterdir()) == listed
    assert before is None or (tmp_path / "out.json").read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        b"# README\n",
        b'{"bomFormat":"CycloneDX"}',
        b"[]",
        b'{"mediaType":5}',
        b"[" * 100_000,
        b"\xff",
        b"1" * 5000,
        OLDER + b" " * MAX_BUNDLE_BYTES,
    ],
)
def test_a_file_that_is_no_bundle_is_refused_and_stays(make, tmp_path, content) -> None:
    (tmp_path / "README.md").write_bytes(content)

    with pytest.raises(FileUnwritableError, match=r"README\.md: it is a file that is no bundle; nothing") as caught:
        make("README.md").check()

    assert "choose another file with --bundle" in str(caught.value.hint)
    assert (tmp_path / "README.md").read_bytes() == content


def test_a_file_that_became_something_else_since_the_check_stays(make, tmp_path) -> None:
    file = make("out.json")
    file.check()
    (tmp_path / "out.json").write_bytes(b"notes")

    with pytest.raises(FileUnwritableError, match=r"the attestation is stored, but .* it is a file that is no bundle"):
        file.write(b"bundle")

    assert (tmp_path / "out.json").read_bytes() == b"notes"


def test_an_empty_file_takes_the_bundle(make, tmp_path) -> None:
    (tmp_path / "out.json").touch()
    file = make("out.json")

    file.check()
    file.write(b"bundle")

    assert (tmp_path / "out.json").read_bytes() == b"bundle"


def test_stdout_is_refused_as_a_usage_error(make) -> None:
    with pytest.raises(UsageError, match="--bundle - is not possible"):
        make("-")


@pytest.mark.parametrize("typed", ["absent/out.json", "folder", "file/out.json"])
def test_a_place_that_takes_no_file_is_refused_by_the_check(make, tmp_path, typed) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(FileUnwritableError, match="nothing was sent") as caught:
        make(typed).check()

    assert "--bundle" in str(caught.value.hint)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
@pytest.mark.parametrize("protected", ["folder", "folder/out.json"])
def test_a_write_protected_place_is_refused_by_the_check(make, tmp_path, protected) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "out.json").touch()
    (tmp_path / protected).chmod(0o500)

    with pytest.raises(FileUnwritableError):
        make("folder/out.json").check()


def test_the_state_is_not_overwritten_with_its_bundle(make) -> None:
    with pytest.raises(UsageError, match="until it is pushed"):
        make("state.json").check()


@posix
def test_a_link_is_followed_to_its_file(make, tmp_path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "real.json").write_bytes(OLDER)
    (tmp_path / "out.json").symlink_to("folder/real.json")

    make("out.json").write(b"bundle")

    assert (tmp_path / "out.json").is_symlink()
    assert (tmp_path / "folder" / "real.json").read_bytes() == b"bundle"


@posix
def test_a_pipe_is_written_into_and_stays(make, tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()

    make("pipe").check()
    make("pipe").write(b"bundle")
    reader.join(10)

    assert read == [b"bundle"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@posix
def test_a_full_device_is_an_error_and_stays_a_device(make, tmp_path) -> None:
    # A link: were the device itself replaced, the machine of who runs this test would be broken.
    (tmp_path / "full").symlink_to("/dev/full")
    file = make("full")
    file.check()

    with pytest.raises(FileUnwritableError, match="the attestation is stored, but") as caught:
        file.write(b"bundle")

    assert "not stored twice" in str(caught.value.hint)
    assert (tmp_path / "full").is_symlink()
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


@posix
@pytest.mark.parametrize("which", ["stdout", "stderr"])
def test_the_file_that_the_command_itself_writes_to_is_refused(make, tmp_path, which) -> None:
    with (tmp_path / "log").open("w") as log:
        streams = {"stdout": Screen(), "stderr": Screen(), which: log}

        with pytest.raises(UsageError, match="its own output"):
            make("log", Output(streams["stdout"], streams["stderr"], {})).check()


def test_a_disk_that_is_full_leaves_the_older_file(make, tmp_path) -> None:
    (tmp_path / "out.json").write_bytes(OLDER)
    (tmp_path / f".out.json.{os.getpid()}").mkdir()

    with pytest.raises(FileUnwritableError):
        make("out.json").write(b"bundle")

    assert (tmp_path / "out.json").read_bytes() == OLDER
