from __future__ import annotations

from server.services.activity import MAX_UPLOADS, describe
from server.store.token_activity import BegunRun
from tests.unit.server.model.test_runs import RUN, START


def test_a_run_with_many_uploads_lists_the_first_and_counts_all() -> None:
    uploads = tuple(f"sha256:{number:064x}" for number in range(MAX_UPLOADS + 5))

    detail = describe(BegunRun(RUN, uploads), START).detail

    assert detail["uploads"] == list(uploads[:MAX_UPLOADS])
    assert detail["uploadsInAll"] == MAX_UPLOADS + 5
