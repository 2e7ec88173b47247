"""Kill the dispatcher in the middle of its sweeps, while clients upload the very bytes that it removes."""

from __future__ import annotations

import random
import sqlite3
import uuid
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from chainloop_ci.digests import sha256_digest
from tests.integration.live import Tenant
from tests.soak.ageing import age_file, age_leftovers, age_runs, age_uploads, sweep, sweep_command
from tests.soak.checks import (
    DATABASE,
    BlobFiles,
    Ledger,
    blob_path,
    check_acknowledged,
    check_data,
    check_nothing_found,
    require,
)
from tests.soak.clients import open_site, working
from tests.soak.moments import Span, list_calls, measure
from tests.soak.plane import Plane, wait_for
from tests.soak.scene import Played

ORGANIZATIONS = 2
SHARED = 12
"""Contents that clients upload again and again, and that are made old again and again."""
RUNS = 8
UPLOADS_PER_RUN = 2
SHARED_PER_RUN = 3
UNKNOWN = 6
UNFINISHED = 4
GRACE = "1m"


@dataclass(frozen=True)
class _Rubbish:
    """What a sweep must take."""

    runs: tuple[str, ...]
    uploads: tuple[str, ...]
    files: tuple[Path, ...]


class DispatcherScene:
    """One control plane with clients that never stop, and a dispatcher that is killed again and again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._plane = Plane(folder, {"CHAINLOOP_UPLOAD_GRACE": GRACE})
        self._data = self._plane.data
        self._blobs = BlobFiles()
        self._seen = Ledger()
        self._shared: tuple[bytes, ...] = ()
        self._exit = ExitStack()
        # What is swept in one organization, the other attests: both have the same bytes.
        for _ in range(ORGANIZATIONS):
            shared = tuple(random.randbytes(5_000) for _ in range(SHARED))
            self._site = open_site(Tenant(self._plane.url, self._plane.token, folder))
            self._exit.enter_context(working(self._site, self._seen, threads=1, shared=shared))
            self._shared += shared
        self._span = self._rehearse()

    def play(self, rng: random.Random) -> Played:
        """Leave rubbish, kill the one that sweeps it, and have it swept by the next."""
        rubbish, moment = self._leave(rng), self._span.choose(rng)
        ended = sweep(self._data, moment, GRACE)
        self._look()
        self._finish(rubbish)
        self._look()
        return Played("dispatcher", moment.kind if ended.was_killed else "late")

    def close(self) -> None:
        """Let the jobs end, sweep once more, and look at the whole."""
        try:
            self._exit.close()
        finally:
            self._plane.stop()
        age_leftovers(self._data)
        sweep(self._data, grace=GRACE)
        self._look()
        check_nothing_found(self._data)

    def _rehearse(self) -> Span:
        """Sweep twice unharmed, and return how long that takes and what it calls."""
        self._leave(random.Random())
        seconds, _ = measure(sweep_command(self._data), cwd=self._folder.parent, env=None)
        self._leave(random.Random())
        calls, _ = list_calls(sweep_command(self._data), self._folder / "calls", cwd=self._folder, env=None)
        return Span(seconds, calls)

    def _look(self) -> None:
        """Require that whatever an attestation names is there, whole, and the rest legal."""
        check_acknowledged(self._data, self._seen.copy(), with_uploads=False)
        self._blobs.check(self._data)
        check_data(self._data)

    def _leave(self, rng: random.Random) -> _Rubbish:
        """Leave runs, uploads and files as jobs and dead processes do, and let time pass for them."""
        runs, uploads = [], []
        for _ in range(RUNS):
            job = self._site.job()
            require(job.begin().status_code in (200, 201), "a job begins")
            for _ in range(UPLOADS_PER_RUN):
                content = rng.randbytes(3_000)
                require(job.upload(content, "left.bin").status_code in (200, 201), "a job uploads")
                uploads.append(sha256_digest(content))
            for content in rng.sample(self._shared, SHARED_PER_RUN):
                require(job.upload(content, "shared.bin").status_code in (200, 201), "a job uploads")
            runs.append(job.run_id)
        files = [self._leave_unknown(rng) for _ in range(UNKNOWN)] + [
            self._leave_unfinished() for _ in range(UNFINISHED)
        ]
        age_runs(self._data, runs)
        age_uploads(self._data, [*uploads, *map(sha256_digest, self._shared)])
        return _Rubbish(tuple(runs), tuple(uploads), tuple(files))

    def _leave_unknown(self, rng: random.Random) -> Path:
        content = rng.randbytes(1_000)
        path = blob_path(self._data, sha256_digest(content))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(content)
        age_file(path)
        return path

    def _leave_unfinished(self) -> Path:
        path = self._data / "blobs" / "incoming" / uuid.uuid4().hex
        path.write_bytes(b"half of a blob")
        age_file(path)
        return path

    def _finish(self, rubbish: _Rubbish) -> None:
        """Sweep until all is gone: the server's own dispatcher may be at one of the sweeps just then."""

        def swept() -> bool:
            sweep(self._data, grace=GRACE)
            return not self._find_left(rubbish)

        wait_for(swept, "what the dead dispatcher left is swept by the next")

    def _find_left(self, rubbish: _Rubbish) -> list[str]:
        with closing(sqlite3.connect(self._data / DATABASE, timeout=30)) as connection:
            is_open = "SELECT id FROM workflow_runs WHERE state = 'initialized'"
            opened = {row[0] for row in connection.execute(is_open)}
            known = {row[0] for row in connection.execute("SELECT digest FROM artifacts")}
        left = [run_id for run_id in rubbish.runs if run_id in opened]
        left += [digest for digest in rubbish.uploads if digest in known or blob_path(self._data, digest).exists()]
        return left + [str(path) for path in rubbish.files if path.exists()]
