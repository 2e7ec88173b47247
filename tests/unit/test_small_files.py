"""Keys, passwords, certificates and settings: which files are read, and for how long (R22)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from chainloop_ci.errors import FileUnreadableError, PathRefusedError
from chainloop_ci.small_files import read_small_file

posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices with a path")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def read(path: Path | str, limit: int = 100, seconds: float = 0.3) -> bytes:
    return read_small_file(Path(path), "the key", limit, pipe_seconds=seconds).raw


def test_a_file_is_read_with_its_mode(tmp_path: Path):
    (tmp_path / "key").write_bytes(b"pem")
    (tmp_path / "key").chmod(0o640)

    file = read_small_file(tmp_path / "key", "the key", 100)

    assert (file.raw, file.mode & 0o777) == (b"pem", 0o640)


def test_no_more_than_one_byte_over_the_limit_is_read(tmp_path: Path):
    (tmp_path / "key").write_bytes(bytes(1000))

    assert len(read(tmp_path / "key", limit=10)) == 11


def test_a_missing_file_and_a_folder_say_so(tmp_path: Path):
    with pytest.raises(FileUnreadableError, match=r"the key .*absent.* cannot be read: No such file"):
        read(tmp_path / "absent")
    with pytest.raises(FileUnreadableError, match="it is a folder"):
        read(tmp_path)


def test_content_is_never_shown(tmp_path: Path):
    (tmp_path / "key").write_bytes(b"secret")

    assert "secret" not in repr(read_small_file(tmp_path / "key", "the key", 100))


@posix
def test_a_pipe_that_nobody_writes_into_ends_by_its_deadline(tmp_path: Path):
    os.mkfifo(tmp_path / "key")

    with pytest.raises(FileUnreadableError, match=r"did not finish in 0\.3 s"):
        read(tmp_path / "key")


@posix
def test_a_pipe_that_is_never_closed_ends_by_its_deadline(tmp_path: Path):
    reader, writer = os.pipe()
    os.write(writer, b"half a key")

    with pytest.raises(FileUnreadableError, match="did not finish"):
        read(f"/dev/fd/{reader}")

    os.close(reader)
    os.close(writer)


@posix
def test_a_pipe_without_end_is_read_up_to_the_limit(tmp_path: Path):
    process = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
    assert process.stdout

    raw = read(f"/dev/fd/{process.stdout.fileno()}", limit=1000, seconds=10)

    process.stdout.close()
    process.wait(10)
    assert len(raw) == 1001


@posix
@pytest.mark.parametrize("form", ["/dev/fd/{}", pytest.param("/proc/self/fd/{}", marks=linux)])
def test_process_substitution_is_read(form: str):
    process = subprocess.Popen(["sh", "-c", "printf one; printf two"], stdout=subprocess.PIPE)
    assert process.stdout

    raw = read(form.format(process.stdout.fileno()), seconds=10)

    process.stdout.close()
    process.wait(10)
    assert raw == b"onetwo"


@posix
def test_a_named_pipe_with_a_writer_is_read(tmp_path: Path):
    pipe = tmp_path / "key"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"pem",))
    writer.start()

    raw = read(pipe, seconds=10)

    writer.join(10)
    assert raw == b"pem"


@linux
@pytest.mark.parametrize(
    "path", ["/proc/self/environ", "/proc/self/cmdline", "/proc/thread-self/environ", "/sys/kernel/notes"]
)
def test_r22_what_the_kernel_makes_up_is_refused(path: str):
    with pytest.raises((PathRefusedError, FileUnreadableError)):
        read(path)


@linux
def test_r22_no_other_name_leads_to_it(tmp_path: Path):
    (tmp_path / "key").symlink_to("/proc/self/environ")
    with open("/proc/self/environ", "rb") as opened:
        for path in (tmp_path / "key", Path(f"/dev/fd/{opened.fileno()}")):
            with pytest.raises(PathRefusedError, match="is a file of /proc"):
                read(path)


@posix
@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_r22_devices_are_refused(path: str):
    with pytest.raises(PathRefusedError, match="device"):
        read(path)


@posix
def test_r22_a_file_that_is_exchanged_for_a_device_while_it_is_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    key, opened = tmp_path / "key", os.open
    key.write_bytes(b"pem")

    def exchange_and_open(path: Path, flags: int) -> int:
        key.unlink()
        key.symlink_to("/dev/zero")
        return opened(path, flags)

    monkeypatch.setattr("chainloop_ci.small_files.os.open", exchange_and_open)

    with pytest.raises(PathRefusedError, match="device"):
        read(key)


@posix
def test_r22_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("agent")

        with pytest.raises(PathRefusedError, match="socket"):
            read("agent")


def test_a_path_with_a_nul_is_no_path():
    with pytest.raises(FileUnreadableError, match="no path"):
        read("a\0b")
