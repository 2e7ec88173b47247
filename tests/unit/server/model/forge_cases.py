"""A workflow's source, a run of it and what its forge tells; the tests change one fact at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chainloop_ci.api.source_address import SourceAddress, SourceKind
from chainloop_ci.runners.types import CiIdentity
from server.model.forge_facts import CiStatus, ForgeJob, ForgeRun, Head
from server.model.sources import ExpectedRuns, StoredSource, StoredWorkflowSource
from tests.unit.server.model import test_runs
from tests.unit.server.model.test_runs import START

SHA = "0123456789abcdef0123456789abcdef01234567"
CI_FILE = ".github/workflows/build.yml"
MINUTE = timedelta(minutes=1)

SOURCE = StoredSource(
    "s", "o", SourceAddress(SourceKind.GITHUB, "https://github.com", "acme/app"), START, "4711", "main"
)
BOUND = StoredWorkflowSource("w", SOURCE, ExpectedRuns(CI_FILE), START)
CI = CiIdentity(
    "github",
    server_url="https://github.com",
    repository="acme/app",
    run_id="77",
    run_attempt=1,
    job="build",
    head_sha=SHA,
)
RUN = replace(test_runs.RUN, ci=CI)
TOLD = ForgeRun(
    source_id="s",
    organization_id="o",
    ci_run_id="77",
    attempt=1,
    head_sha=SHA,
    event="push",
    status=CiStatus.RUNNING,
    seen_at=START,
    told_at=START,
    ci_file=CI_FILE,
    started_at=START - MINUTE,
)
JOB = ForgeJob("1", "build", CiStatus.ENDED, started_at=START - MINUTE, ended_at=START + MINUTE)
HEAD = Head("s", "o", SHA, "push", "main", seen_at=START, told_at=START)
