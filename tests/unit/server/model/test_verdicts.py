from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from chainloop_ci.api.runs import Check, Proof, Verification
from chainloop_ci.attestation.state import GitHead
from chainloop_ci.attestation.view import StatementView
from chainloop_ci.contract.types import Annotation, Contract, ContractMaterial, MaterialType, RunnerType
from chainloop_ci.digests import sha256_digest
from chainloop_ci.runners.types import CiIdentity
from server.model.runs import Run
from server.model.signers import SignatureVerdict
from server.model.verdicts import judge
from tests.unit.server.model.statements import COMMIT, CONTRACT, RUN, VIEW
from tests.unit.server.model.test_runs import START

OTHER_COMMIT = "f" * 40
SIGNED = SignatureVerdict(Check(Proof.YES, "signed"), Check(Proof.YES, "registered"), sha256_digest(b"key"))
HEAD = GitHead(COMMIT, "A. Author", "author@example.com", "a change", START)
HONEST = replace(VIEW, head=HEAD)


def verdict(
    view: StatementView = HONEST,
    run: Run = RUN,
    contract: Contract = CONTRACT,
    checks: Mapping[str, str] | None = None,
) -> Verification:
    return judge(SIGNED, view, run, contract, {"binary": "checked"} if checks is None else checks)


def test_r12_the_lines_about_the_signature_are_those_of_the_signature() -> None:
    found = verdict()

    assert (found.signature, found.key) == (SIGNED.signature, SIGNED.key)


def test_r12_the_runner_is_only_claimed() -> None:
    assert verdict().runner.result is Proof.CLAIMED
    assert RUN.runner_type in verdict().runner.reason


def test_r12_the_source_is_claimed_or_not_shown() -> None:
    unnamed = replace(RUN, ci=CiIdentity("none"))

    assert (verdict().source.result, verdict(run=unnamed).source.result) == (Proof.CLAIMED, Proof.NOT_SHOWN)
    assert "acme/app" in verdict().source.reason


def test_r12_another_commit_than_the_job_was_told_is_no() -> None:
    told = replace(RUN, ci=replace(RUN.ci, head_sha=OTHER_COMMIT))

    found = verdict(run=told).commit

    assert found.result is Proof.NO
    assert COMMIT in found.reason
    assert OTHER_COMMIT in found.reason


@pytest.mark.parametrize(
    ("signed", "told"), [(HEAD, COMMIT), (HEAD, None), (None, COMMIT)], ids=["both", "only signed", "only told"]
)
def test_r12_a_commit_is_claimed_whoever_named_it(signed: GitHead | None, told: str | None) -> None:
    run = replace(RUN, ci=replace(RUN.ci, head_sha=told))

    found = verdict(replace(VIEW, head=signed), run).commit

    assert found == Check(Proof.CLAIMED, f"{COMMIT} by the job's word; the forge was not asked")


def test_r12_a_place_that_is_no_ci_system_is_said_in_words() -> None:
    found = verdict(run=replace(RUN, runner_type="RUNNER_TYPE_UNSPECIFIED")).runner

    assert found == Check(Proof.CLAIMED, "no CI system that is known here (RUNNER_TYPE_UNSPECIFIED) by the job's word")


def test_r12_a_commit_that_nobody_named_is_not_shown() -> None:
    found = verdict(replace(VIEW, head=None), replace(RUN, ci=CiIdentity("none"))).commit

    assert found.result is Proof.NOT_SHOWN


@pytest.mark.parametrize(
    "contract",
    [
        Contract(materials=(ContractMaterial("binary", MaterialType.ARTIFACT),)),
        Contract(materials=(ContractMaterial("unit", MaterialType.JUNIT_XML, optional=True, group="reports"),)),
        Contract(env_allow_list=("TARGET",)),
        Contract(annotations=(Annotation("ticket"),)),
        Contract(runner=RunnerType.GITHUB_ACTION),
    ],
    ids=["material", "group", "variable", "annotation", "runner"],
)
def test_a_contract_that_asks_for_something_is_met(contract: Contract) -> None:
    assert verdict(contract=contract).contract.result is Proof.YES


@pytest.mark.parametrize(
    "contract",
    [
        Contract(),
        Contract(annotations=(Annotation("team", "core"),)),
        Contract(materials=(ContractMaterial("log", MaterialType.EVIDENCE, optional=True),)),
    ],
    ids=["empty", "fixed annotation", "optional material"],
)
def test_r37_a_contract_that_asks_for_nothing_is_not_called_met(contract: Contract) -> None:
    found = verdict(contract=contract).contract

    assert found.result is Proof.NOT_SHOWN
    assert found.reason.startswith("no requirements: ")


def test_policies_are_said_not_to_be_evaluated() -> None:
    assert "not evaluated" in verdict(contract=replace(CONTRACT, policies={"attestation": []})).contract.reason


_FREE = "not checked: a material of type ARTIFACT may hold anything"


@pytest.mark.parametrize(
    ("checks", "result", "words"),
    [
        ({}, Proof.NOT_SHOWN, "no materials"),
        ({"a": "checked"}, Proof.YES, "the one content is stored, hashed and checked"),
        ({"a": "checked", "b": "checked"}, Proof.YES, "all 2 contents are stored, hashed and checked"),
        ({"a": _FREE}, Proof.YES, "the one content is stored and hashed; it may hold anything and is not checked"),
        (
            {"a": "checked", "b": _FREE},
            Proof.YES,
            "all 2 contents are stored and hashed; 1 may hold anything and is not",
        ),
        ({"a": _FREE, "b": _FREE}, Proof.YES, "2 may hold anything and are not checked"),
        ({"a": "checked", "b": "not stored"}, Proof.CLAIMED, "1 of 2 contents shown; b: not stored"),
        ({"a": "checked leniently, as the job asked"}, Proof.CLAIMED, "0 of 1"),
        ({f"m{number:02}": "not stored" for number in range(22)}, Proof.CLAIMED, "; and 2 more"),
    ],
)
def test_r12_the_content_line_says_what_was_not_looked_at(checks: dict[str, str], result: Proof, words: str) -> None:
    found = verdict(checks=checks).content

    assert found.result is result
    assert words in found.reason
