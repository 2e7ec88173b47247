"""Compare what a statement says of its run with what the server holds; list every difference (R11).

Paths are JSON pointers into the statement.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from chainloop_ci.attestation.predicate import PREDICATE_TYPE
from chainloop_ci.attestation.runner_document import ci_document
from chainloop_ci.attestation.statement import STATEMENT_TYPE
from chainloop_ci.attestation.view import StatementView
from chainloop_ci.contract.compliance import check_event
from chainloop_ci.contract.secret_names import check_variables
from chainloop_ci.contract.types import Annotation, Contract
from chainloop_ci.errors import Finding, limit_findings
from server.model.runs import Run

_METADATA = "/predicate/metadata"
_OWN = "/predicate/chainloopCi"


def check_claims(view: StatementView, run: Run, contract: Contract) -> tuple[Finding, ...]:
    """Return every difference between the statement and its run, materials and subjects excepted."""
    return limit_findings(
        chain(
            _differences(_identity(view, run)),
            _differences(_runner(view, run)),
            _check_proof(view),
            _check_event(run, contract),
            _check_env(view, contract),
            check_fixed_annotations("/predicate/annotations", contract.annotations, view.annotations),
        )
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Claim:
    path: str
    what: str
    expected: object
    found: object


def _differences(claims: Iterable[_Claim]) -> Iterator[Finding]:
    for claim in claims:
        if claim.expected != claim.found:
            message = f"expected the {claim.what} {_shown(claim.expected)}, found {_shown(claim.found)}"
            yield Finding("claim-differs", message, path=claim.path)


def _identity(view: StatementView, run: Run) -> Iterator[_Claim]:
    names = run.names
    yield from (
        _Claim("/_type", "statement type", STATEMENT_TYPE, view.statement_type),
        _Claim("/predicateType", "predicate type", PREDICATE_TYPE, view.predicate_type),
        _Claim(f"{_METADATA}/workflowRunID", "workflow run", run.id, view.run_id),
        _Claim(f"{_METADATA}/project", "project", names.project, view.project),
        _Claim(f"{_METADATA}/workflowName", "workflow", names.workflow, view.workflow_name),
        _Claim(f"{_METADATA}/name", "workflow", names.workflow, view.name),
        _Claim(f"{_METADATA}/projectVersion", "project version", run.project_version, view.project_version),
    )
    if run.late:
        yield from _identity_of_late(view, run)
        return
    yield from (
        _Claim(f"{_METADATA}/organization", "organization", names.organization, view.organization),
        _Claim(f"{_METADATA}/workflowID", "workflow id", run.workflow_id, view.workflow_id),
        _Claim(f"{_METADATA}/contractName", "contract", names.contract, view.contract_name),
        _Claim(f"{_METADATA}/contractVersion", "contract revision", run.contract_revision, view.contract_revision),
        _Claim(f"{_OWN}/contractDigest", "contract digest", run.contract_digest, view.contract_digest),
        _Claim("/predicate/auth/id", "token", run.token_id, view.auth_id or run.token_id),
    )


def _identity_of_late(view: StatementView, run: Run) -> Iterator[_Claim]:
    """R20: the job could not ask; what it did not know it left out. Revision, its digest and the token are today's."""
    said = (
        ("organization", "organization", run.names.organization, view.organization),
        ("workflowID", "workflow id", run.workflow_id, view.workflow_id),
    )
    for name, what, expected, found in said:
        if found:
            yield _Claim(f"{_METADATA}/{name}", what, expected, found)


def _runner(view: StatementView, run: Run) -> Iterator[_Claim]:
    runner = view.runner
    yield _Claim("/predicate/runnerType", "runner type", run.runner_type, runner.type)
    yield _Claim("/predicate/runnerURL", "runner URL", run.runner_url, runner.url)
    environment = runner.environment or "unknown"
    yield _Claim("/predicate/runnerEnvironment", "runner environment", run.runner_environment or "unknown", environment)
    said = ci_document(view.ci) if view.ci else {"provider": "none"}
    held = ci_document(run.ci)
    for name in dict.fromkeys((*held, *said)):
        yield _Claim(f"{_OWN}/ci/{name}", f"CI fact {name} of the run", held.get(name), said.get(name))


def _check_proof(view: StatementView) -> Iterator[Finding]:
    if view.runner.authenticated:
        message = (
            "expected a claimed runner, found one that says it is authenticated; the server holds no proof of that"
        )
        yield Finding("claim-differs", message, path="/predicate/runnerAuthenticated")


def _check_event(run: Run, contract: Contract) -> Iterator[Finding]:
    if finding := check_event(contract, run.ci.event):
        yield dataclasses.replace(finding, path=f"{_OWN}/ci/event")


def _check_env(view: StatementView, contract: Contract) -> Iterator[Finding]:
    for name in contract.env_allow_list:
        if not view.env.get(name):
            message = f"the contract asks for the environment variable {name}, the statement has no value of it"
            yield Finding("missing-variable", message, path=f"/predicate/env/{name}", hint=f"set {name} in the job")
    for finding in check_variables(view.env):
        yield dataclasses.replace(finding, path=f"/predicate/env/{(finding.path or '')[:80]}")


def check_fixed_annotations(
    path: str, annotations: Iterable[Annotation], found: Mapping[str, str]
) -> Iterator[Finding]:
    """Return a finding for each annotation whose value differs from the one that the contract fixes."""
    for annotation in annotations:
        value = found.get(annotation.name, annotation.value)
        if annotation.value and value != annotation.value:
            message = (
                f"the contract sets the annotation {annotation.name} to {annotation.value!r}, found {value[:80]!r}"
            )
            yield Finding("annotation-differs", message, path=f"{path}/{annotation.name}")


def _shown(value: object) -> str:
    return "nothing" if value in (None, "") else repr(str(value)[:200])
