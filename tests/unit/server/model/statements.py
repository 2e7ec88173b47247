"""A run, its contract, and a statement in which nothing differs from them; the tests change one fact at a time."""

from __future__ import annotations

from dataclasses import replace

from chainloop_ci.attestation.predicate import PREDICATE_TYPE
from chainloop_ci.attestation.statement import STATEMENT_TYPE
from chainloop_ci.attestation.subject import GIT_HEAD, WORKFLOW_PREFIX
from chainloop_ci.attestation.view import MaterialView, RunnerView, StatementView, SubjectView
from chainloop_ci.contract.types import Annotation, Contract, ContractMaterial, MaterialType
from chainloop_ci.digests import hex_of, sha256_digest
from chainloop_ci.errors import Finding
from chainloop_ci.runners.types import CiIdentity
from server.model.runs import RunNames
from tests.unit.server.model import test_runs

CONTENT = b"a program"
DIGEST = sha256_digest(CONTENT)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
URL = "https://ci.example/runs/77"

RUN = replace(
    test_runs.RUN,
    ci=CiIdentity("github", repository="acme/app", head_sha=COMMIT),
    names=RunNames(organization="acme", project="app", workflow="build", contract="app-build"),
    runner_url=URL,
    runner_environment="managed",
    project_version="1.2.3",
)
CONTRACT = Contract(
    materials=(
        ContractMaterial("binary", MaterialType.ARTIFACT, output=True),
        ContractMaterial("log", MaterialType.EVIDENCE, optional=True, skip_upload=True),
        ContractMaterial("word", MaterialType.STRING, optional=True, output=True),
    ),
    env_allow_list=("TARGET",),
    annotations=(Annotation("team", "core"), Annotation("ticket")),
)
BINARY = MaterialView(
    "binary", "ARTIFACT", DIGEST, filename="app.bin", uploaded=True, output=True, size_bytes=len(CONTENT)
)
WORD = MaterialView("word", "STRING", sha256_digest(b"hello"), content=b"hello", output=True)
WORKFLOW_SUBJECT = SubjectView(f"{WORKFLOW_PREFIX}build", {"sha256": hex_of(sha256_digest(b"run"))})
COMMIT_SUBJECT = SubjectView(GIT_HEAD, {"sha1": COMMIT})
BINARY_SUBJECT = SubjectView("app.bin", {"sha256": hex_of(DIGEST)}, material_name="binary")

VIEW = StatementView(
    statement_type=STATEMENT_TYPE,
    predicate_type=PREDICATE_TYPE,
    workflow_name="build",
    run_id=RUN.id,
    name="build",
    workflow_id=RUN.workflow_id,
    project="app",
    project_version="1.2.3",
    organization="acme",
    contract_name="app-build",
    contract_revision=RUN.contract_revision,
    contract_digest=RUN.contract_digest,
    runner=RunnerView(RUN.runner_type, URL, "managed"),
    ci=RUN.ci,
    subjects=(WORKFLOW_SUBJECT, COMMIT_SUBJECT, BINARY_SUBJECT),
    materials=(BINARY,),
    env={"TARGET": "staging"},
    annotations={"team": "core", "ticket": "T-1"},
    auth_id=RUN.token_id,
)


def codes(findings: tuple[Finding, ...]) -> list[tuple[str, str | None]]:
    """Return code and path of every finding."""
    return [(finding.code, finding.path) for finding in findings]
