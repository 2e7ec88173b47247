from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chainloop_ci.attestation.view import RunnerView
from chainloop_ci.digests import sha256_digest
from chainloop_ci.runners.types import CiIdentity
from server.model.claims import check_claims
from tests.unit.server.model.statements import CONTRACT, RUN, URL, VIEW, codes


def test_r11_a_statement_that_says_what_the_run_says_has_no_findings() -> None:
    assert check_claims(VIEW, RUN, CONTRACT) == ()


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"statement_type": "https://in-toto.io/Statement/v0.1"}, "/_type"),
        ({"predicate_type": "other"}, "/predicateType"),
        ({"run_id": "other"}, "/predicate/metadata/workflowRunID"),
        ({"organization": "rival"}, "/predicate/metadata/organization"),
        ({"project": "other"}, "/predicate/metadata/project"),
        ({"workflow_id": "other"}, "/predicate/metadata/workflowID"),
        ({"workflow_name": "deploy"}, "/predicate/metadata/workflowName"),
        ({"name": "deploy"}, "/predicate/metadata/name"),
        ({"project_version": "9"}, "/predicate/metadata/projectVersion"),
        ({"contract_name": "other"}, "/predicate/metadata/contractName"),
        ({"contract_revision": 2}, "/predicate/metadata/contractVersion"),
        ({"contract_revision": None}, "/predicate/metadata/contractVersion"),
        ({"contract_digest": sha256_digest(b"other")}, "/predicate/chainloopCi/contractDigest"),
        ({"contract_digest": None}, "/predicate/chainloopCi/contractDigest"),
        ({"auth_id": "other"}, "/predicate/auth/id"),
    ],
)
def test_r11_each_claim_about_the_run_is_compared(change: dict[str, Any], path: str) -> None:
    findings = check_claims(replace(VIEW, **change), RUN, CONTRACT)

    assert codes(findings) == [("claim-differs", path)]


@pytest.mark.parametrize(
    ("runner", "path"),
    [
        (RunnerView("JENKINS_JOB", URL, "managed"), "/predicate/runnerType"),
        (RunnerView(RUN.runner_type, "https://ci.example/runs/78", "managed"), "/predicate/runnerURL"),
        (RunnerView(RUN.runner_type, "", "managed"), "/predicate/runnerURL"),
        (RunnerView(RUN.runner_type, URL, "self-hosted"), "/predicate/runnerEnvironment"),
        (RunnerView(RUN.runner_type, URL, ""), "/predicate/runnerEnvironment"),
        (RunnerView(RUN.runner_type, URL, "managed", authenticated=True), "/predicate/runnerAuthenticated"),
    ],
)
def test_r11_the_runner_is_that_of_the_run(runner: RunnerView, path: str) -> None:
    findings = check_claims(replace(VIEW, runner=runner), RUN, CONTRACT)

    assert codes(findings) == [("claim-differs", path)]


def test_an_environment_that_nobody_named_is_unknown_on_both_sides() -> None:
    run = replace(RUN, runner_environment="unknown")

    assert check_claims(replace(VIEW, runner=RunnerView(RUN.runner_type, URL, "")), run, CONTRACT) == ()


def test_r11_every_fact_of_the_ci_system_is_compared() -> None:
    other = CiIdentity("github", repository="rival/app", run_attempt=2)

    findings = check_claims(replace(VIEW, ci=other), RUN, CONTRACT)

    assert {finding.path for finding in findings} == {
        "/predicate/chainloopCi/ci/repository",
        "/predicate/chainloopCi/ci/runAttempt",
        "/predicate/chainloopCi/ci/headSha",
    }


def test_r11_a_statement_without_facts_of_the_ci_system_differs_from_a_run_with_some() -> None:
    findings = check_claims(replace(VIEW, ci=None), RUN, CONTRACT)

    assert ("claim-differs", "/predicate/chainloopCi/ci/provider") in codes(findings)


@pytest.mark.parametrize("env", [{}, {"TARGET": ""}])
def test_r11_a_variable_that_the_contract_asks_for_is_wanted(env: dict[str, str]) -> None:
    findings = check_claims(replace(VIEW, env=env), RUN, CONTRACT)

    assert codes(findings) == [("missing-variable", "/predicate/env/TARGET")]


def test_r24_a_refused_variable_is_named_without_its_value() -> None:
    findings = check_claims(replace(VIEW, env={**VIEW.env, "DEPLOY_TOKEN": "hunter2"}), RUN, CONTRACT)

    assert [finding.path for finding in findings] == ["/predicate/env/DEPLOY_TOKEN"]
    assert "hunter2" not in str(findings)


@pytest.mark.parametrize("value", ["", "web"])
def test_r11_a_fixed_annotation_has_the_value_of_the_contract(value: str) -> None:
    findings = check_claims(replace(VIEW, annotations={"team": value, "ticket": "T-1"}), RUN, CONTRACT)

    assert codes(findings) == [("annotation-differs", "/predicate/annotations/team")]


@pytest.mark.parametrize("annotations", [{"ticket": "T-2"}, {"team": "core", "ticket": "T-2", "extra": "x"}])
def test_what_the_contract_does_not_fix_is_free(annotations: dict[str, str]) -> None:
    assert check_claims(replace(VIEW, annotations=annotations), RUN, CONTRACT) == ()
