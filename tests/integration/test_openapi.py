"""The whole API against its own OpenAPI document, by schemathesis: no fault, every answer as described."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import PIPE, STDOUT, run
from typing import Any

import pytest

from tests.integration.live import Job

SEED = 20261120
EXAMPLES = 25
# Rules that JSON Schema cannot say (a cursor belongs to a list, a role fits a scope) refuse what the schema allows.
UNCHECKED = "positive_data_acceptance"


@pytest.fixture
def real_values(job: Job) -> Mapping[str, Any]:
    """Return path parameters of things that exist, so that the requests get behind «not found»."""
    folder = job.chainloop.folder
    (folder / "app.bin").write_bytes(b"a real binary")
    for words in (
        ["init"],
        ["add", "--name", "binary", "--value", "app.bin"],
        ["add", "--name", "version", "--value", "1.0"],
        ["push", "--bundle", "bundle.json"],
    ):
        answer = job.chainloop("attestation", *words)
        assert answer.status == 0, answer.stderr
    run_ = job.runs()[0]
    attested = "sha256:" + hashlib.sha256((folder / "bundle.json").read_bytes()).hexdigest()
    artifact = "sha256:" + hashlib.sha256(b"a real binary").hexdigest()
    digests = {"attestation": attested, "artifact": artifact}
    return {"run_id": run_["id"], "workflow_id": job.workflow_id, "name": "build", "digests": digests}


def chosen(values: Mapping[str, Any], digest: str | None) -> Mapping[str, Any]:
    """Return path parameters with the digest of one kind; none at all for random ones."""
    if digest is None:
        return {}
    return {**{name: value for name, value in values.items() if name != "digests"}, "digest": values["digests"][digest]}


def hammer(job: Job, token: str, folder: Path, values: Mapping[str, Any], paths: str = "") -> tuple[int, str]:
    """Return the exit status and the output of a run over every operation, or those whose path `paths` is found in."""
    # Fixed path parameters would ask for another thing than the one that the request before has made.
    phases = "coverage,fuzzing" if values else "coverage,fuzzing,stateful"
    config = folder / "schemathesis.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    # A request line that is too long is refused by the HTTP server itself, before it is a request of ours.
    refusals = "[checks.negative_data_rejection]\nexpected-statuses = ['4xx', '5xx']"
    config.write_text("\n".join([refusals, "[parameters]", *lines]) + "\n")
    command = [
        *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
        *("--config-file", config, "run", f"{job.tenant.url}/openapi.json"),
        *("-H", f"Authorization: Bearer {token}", "-H", f"Chainloop-Organization: {job.tenant.organization}"),
        *("--checks", "all", "--exclude-checks", UNCHECKED, "--phases", phases),
        *("--max-examples", EXAMPLES, "--seed", SEED, "--request-timeout", 20, "--continue-on-failure"),
        *("--suppress-health-check", "all", "--warnings", "off", "--no-color"),
        *(("--include-path-regex", paths) if paths else ()),
    ]
    ended = run([str(word) for word in command], cwd=folder, stdout=PIPE, stderr=STDOUT, text=True, timeout=570)
    return ended.returncode, ended.stdout


# With one digest or the other, all requests without a digest would be the same ones.
@pytest.mark.parametrize(("known", "paths"), [("attestation", ""), ("artifact", r"\{digest\}"), (None, "")])
def test_no_request_of_an_operator_breaks_the_api_or_its_description(
    job: Job, real_values: Mapping[str, Any], tmp_path: Path, known: str | None, paths: str
) -> None:
    # Not the administrator's token of the organization: the requests revoke and rotate what they find.
    operator = job.tenant.instance_token

    status, output = hammer(job, operator, tmp_path, chosen(real_values, known), paths)

    assert status == 0, output[-20_000:]


def test_no_request_of_a_job_breaks_the_api_or_its_description(
    job: Job, real_values: Mapping[str, Any], tmp_path: Path
) -> None:
    status, output = hammer(job, job.token, tmp_path, chosen(real_values, "artifact"))

    assert status == 0, output[-20_000:]
