from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chainloop_ci.digests import Digest, sha256_digest
from server.cas.blobs import BLOCK_BYTES, Blobs
from server.cas.filesystem import FILESYSTEM
from server.errors import BlobCorruptError, StoreFullError
from server.model.sweeps import ABANDONED

CONTENT = b"content"
DIGEST = sha256_digest(CONTENT)
NAME = DIGEST.removeprefix("sha256:")


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    assert FILESYSTEM.open is not None
    return FILESYSTEM.open(tmp_path)


def keep(blobs: Blobs, *blocks: bytes) -> Digest:
    with blobs.receive() as incoming:
        for block in blocks:
            incoming.write(block)
        return incoming.keep()


def files(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def test_a_blob_is_named_by_its_digest_in_two_levels_of_folders(blobs: Blobs, tmp_path: Path) -> None:
    digest = keep(blobs, CONTENT)

    assert digest == DIGEST
    assert files(tmp_path) == [Path(NAME[:2], NAME[2:4], NAME)]


def test_what_was_written_in_blocks_is_read_as_one(blobs: Blobs) -> None:
    content = os.urandom(2 * BLOCK_BYTES + 17)
    digest = keep(blobs, content[:5], content[5:BLOCK_BYTES], content[BLOCK_BYTES:])

    blocks = list(blobs.read(digest))

    assert b"".join(blocks) == content
    assert max(map(len, blocks)) == BLOCK_BYTES


def test_digest_and_size_are_known_before_the_blob_is_kept(blobs: Blobs) -> None:
    with blobs.receive() as incoming:
        incoming.write(CONTENT)

        assert (incoming.digest, incoming.size_bytes) == (DIGEST, len(CONTENT))


def test_what_is_not_kept_leaves_no_trace(blobs: Blobs, tmp_path: Path) -> None:
    with blobs.receive() as incoming:
        incoming.write(CONTENT)

    assert files(tmp_path) == []


def test_an_error_on_the_way_leaves_no_trace(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError), blobs.receive() as incoming:
        incoming.write(CONTENT)
        raise ConnectionResetError

    assert files(tmp_path) == []


def test_an_upload_in_progress_is_no_blob_yet(blobs: Blobs, tmp_path: Path) -> None:
    with blobs.receive() as incoming:
        incoming.write(CONTENT)

        with pytest.raises(BlobCorruptError):
            blobs.read(DIGEST)


def test_the_same_blob_again_replaces_a_rotten_one(blobs: Blobs, tmp_path: Path) -> None:
    keep(blobs, CONTENT)
    (tmp_path / NAME[:2] / NAME[2:4] / NAME).write_bytes(b"rotten!")

    keep(blobs, CONTENT)

    assert b"".join(blobs.read(DIGEST)) == CONTENT


def test_a_reader_is_not_disturbed_by_the_same_upload(blobs: Blobs) -> None:
    content = os.urandom(3 * BLOCK_BYTES)
    digest = keep(blobs, content)
    blocks = blobs.read(digest)
    first = next(blocks)

    keep(blobs, content)

    assert first + b"".join(blocks) == content


@pytest.mark.parametrize("change", [b"", b"contenT", b"content and more"])
def test_a_blob_that_changed_on_the_disk_is_never_handed_out_whole(blobs: Blobs, tmp_path: Path, change: bytes) -> None:
    keep(blobs, CONTENT)
    (tmp_path / NAME[:2] / NAME[2:4] / NAME).write_bytes(change)

    with pytest.raises(BlobCorruptError, match=r"hashes to sha256:"):
        list(blobs.read(DIGEST))


def test_a_blob_that_is_gone_is_reported(blobs: Blobs) -> None:
    with pytest.raises(BlobCorruptError, match="missing in the store"):
        blobs.read(DIGEST)


def test_temporary_files_of_dead_processes_are_swept_at_start(tmp_path: Path, blobs: Blobs) -> None:
    stale, fresh = tmp_path / "incoming" / "stale", tmp_path / "incoming" / "fresh"
    for path in (stale, fresh):
        path.write_bytes(b"half")
    os.utime(stale, (stale.stat().st_atime, stale.stat().st_mtime - ABANDONED.total_seconds() - 1))

    assert FILESYSTEM.open is not None
    FILESYSTEM.open(tmp_path)

    assert files(tmp_path) == [Path("incoming/fresh")]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_while_a_blob_comes_in_is_a_full_store(blobs: Blobs, tmp_path: Path, code: int) -> None:
    with pytest.raises(StoreFullError), blobs.receive() as incoming:
        incoming.write(CONTENT)
        raise OSError(code, "no space")

    assert files(tmp_path) == []


def test_r8_kept_blobs_are_listed_with_their_sizes_and_nothing_else_is(blobs: Blobs, tmp_path: Path) -> None:
    keep(blobs, CONTENT)
    (tmp_path / "incoming" / "half").write_bytes(b"half")
    (tmp_path / NAME[:2] / NAME[2:4] / "stray").write_bytes(b"no blob")

    assert [(blob.digest, blob.size_bytes) for blob in blobs.list_kept()] == [(DIGEST, len(CONTENT))]


def test_a_blob_is_removed_and_once_more_is_no_fault(blobs: Blobs) -> None:
    keep(blobs, CONTENT)

    blobs.remove(DIGEST)
    blobs.remove(DIGEST)

    assert list(blobs.list_kept()) == []


FILL = """
import sys, os
from pathlib import Path
from server.cas.filesystem import FILESYSTEM
from server.errors import StoreFullError
from server.model.sweeps import ABANDONED
folder = Path(sys.argv[1])
blobs = FILESYSTEM.open(folder)
with blobs.receive() as incoming:
    incoming.write(b"small"); small = incoming.keep()
try:
    with blobs.receive() as incoming:
        for _ in range(8):
            incoming.write(os.urandom(1024 * 1024))
        incoming.keep()
except StoreFullError:
    pass
else:
    sys.exit("the disk was not full")
assert list((folder / "incoming").iterdir()) == [], "a temporary file stayed"
assert b"".join(blobs.read(small)) == b"small", "what was there is gone"
with blobs.receive() as incoming:
    incoming.write(b"after"); incoming.keep()
"""


def test_r8_a_real_full_disk_leaves_what_was_there_and_takes_more_afterwards(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    mount = f"mount -t tmpfs -o size=4m none {tmp_path}"
    if unshare is None or subprocess.run([unshare, "-rm", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("needs a mount namespace of its own (unshare -rm), not allowed here")

    command = f'{mount} && exec "$0" -c "$1" {tmp_path}'
    done = subprocess.run([unshare, "-rm", "sh", "-c", command, sys.executable, FILL], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_r8_what_is_on_its_way_in_is_counted_for_its_owner_only(tmp_path: Path, blobs: Blobs) -> None:
    with blobs.receive("acme") as first, blobs.receive("acme") as second, blobs.receive("rival"):
        first.write(b"four")
        second.write(b"seven77")

        assert (blobs.count_arriving("acme"), blobs.count_arriving("rival")) == (11, 0)
    assert blobs.count_arriving("acme") == 0


def test_what_a_dead_process_left_is_not_on_its_way(tmp_path: Path, blobs: Blobs) -> None:
    with blobs.receive("acme") as incoming:
        incoming.write(CONTENT)
        (left,) = (tmp_path / "incoming").iterdir()
        os.utime(left, (0, 0))

        assert blobs.count_arriving("acme") == 0


def test_t27_a_pipe_in_the_place_of_a_blob_is_damage_and_holds_nobody(blobs: Blobs, tmp_path: Path) -> None:
    keep(blobs, CONTENT)
    path = tmp_path / NAME[:2] / NAME[2:4] / NAME
    path.unlink()
    os.mkfifo(path)

    with pytest.raises(BlobCorruptError, match="no ordinary file"):
        blobs.read(DIGEST)
