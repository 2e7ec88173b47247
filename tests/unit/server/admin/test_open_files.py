"""How many connections a worker may keep, by the limits of open files."""

from __future__ import annotations

import resource

import pytest

from server.admin.open_files import FILES_BESIDE, MAX_CONNECTIONS, MIN_CONNECTIONS, OpenFiles, share_files

NO_LIMIT = resource.RLIM_INFINITY
ENOUGH = MAX_CONNECTIONS + FILES_BESIDE


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [
        (1024, 1_048_576, OpenFiles(ENOUGH, MAX_CONNECTIONS)),
        (1024, NO_LIMIT, OpenFiles(ENOUGH, MAX_CONNECTIONS)),
        (ENOUGH, ENOUGH, OpenFiles(ENOUGH, MAX_CONNECTIONS)),
        (65536, 65536, OpenFiles(65536, MAX_CONNECTIONS)),
        (NO_LIMIT, NO_LIMIT, OpenFiles(NO_LIMIT, MAX_CONNECTIONS)),
        (256, 1024, OpenFiles(1024, 1024 - FILES_BESIDE)),
        (64, 64, OpenFiles(64, MIN_CONNECTIONS)),
    ],
)
def test_a_worker_keeps_as_many_connections_as_its_open_files_allow(soft: int, hard: int, expected: OpenFiles) -> None:
    assert share_files(soft, hard) == expected
