"""T18: a file that changes while it is added: what is recorded is what is stored, or nothing is."""

import hashlib
import random
import threading

import pytest

ROUNDS = 4
SIZE_BYTES = 4_000_000


def overwrite(file, rng):
    """Change bytes in place."""
    file.seek(rng.randrange(SIZE_BYTES))
    file.write(rng.randbytes(1000))


def grow(file, rng):
    """Add bytes at the end."""
    file.seek(0, 2)
    file.write(rng.randbytes(1000))


def shrink(file, rng):
    """Take bytes from the end, or begin anew."""
    size = file.seek(0, 2)
    file.truncate(size - 1000 if size > SIZE_BYTES // 2 else SIZE_BYTES)


@pytest.fixture
def changing(tmp_path):
    """Return what changes a file until the block ends."""

    class Changing:
        def __init__(self, change):
            self.path = tmp_path / "app.bin"
            self.path.write_bytes(random.randbytes(SIZE_BYTES))
            self._change = change
            self._ended = threading.Event()
            self._thread = threading.Thread(target=self._run)

        def __enter__(self):
            self._thread.start()
            return self.path

        def __exit__(self, *_):
            self._ended.set()
            self._thread.join()

        def _run(self):
            with self.path.open("r+b", buffering=0) as file:
                while not self._ended.wait(0.0005):
                    self._change(file, random.Random())

    return Changing


@pytest.mark.parametrize("change", [overwrite, grow, shrink])
def test_t18_what_is_recorded_of_a_changing_file_is_what_is_stored(job, changing, change):
    assert job.chainloop("attestation", "init").status == 0

    with changing(change) as path:
        answers = [
            job.chainloop("attestation", "add", "--name", "binary", "--value", path, "--replace", "-o", "json")
            for _ in range(ROUNDS)
        ]

    for answer in answers:
        if answer.status != 0:
            assert "changed" in answer.stderr or "broke off" in answer.stderr
            continue
        [line] = answer.document
        stored = job.tenant.request("GET", f"/artifacts/{line['hash']}")
        assert stored.status == 200
        assert f"sha256:{hashlib.sha256(stored.data).hexdigest()}" == line["hash"]
        sizes = [item["value"] for item in line["annotations"] if item["name"].endswith("size")]
        assert sizes == [str(len(stored.data))] or not sizes
