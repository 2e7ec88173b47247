from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chainloop_ci.attestation.state import CraftedMaterial, CraftingState, RunnerFacts, Session, WorkflowPin
from chainloop_ci.cli.dialect import Dialect
from chainloop_ci.cli.exit_codes import ABANDONED, EXIT_STATUSES, MEANINGS, SUCCESS, exit_status
from chainloop_ci.cli.plugin_inputs import OUTPUTS, Plugin
from chainloop_ci.cli.report_facts import Told, make_report
from chainloop_ci.contract.load import load
from chainloop_ci.contract.types import MaterialType, RunnerType
from chainloop_ci.crafting.push import Pushed
from chainloop_ci.crafting.status import find_missing, not_met
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import (
    AttestationRefusedError,
    Finding,
    MaterialRejectedError,
    NotAllowedError,
    NotAuthenticatedError,
    RunEndedError,
    RunnerMismatchError,
    UnreachableError,
    UsageError,
    VariablesMissingError,
)
from chainloop_ci.reports.report import Mark
from tests.unit.crafting.memory import NOW, MemoryPlane

CONTRACT = b"""\
apiVersion: chainloop.dev/v1
kind: Contract
metadata: {name: release}
spec:
  materials:
    - {type: ARTIFACT, name: binary}
    - {type: STRING, name: note, optional: true}
    - {type: SBOM_SPDX_JSON, name: spdx, group: sbom}
    - {type: SBOM_CYCLONEDX_JSON, name: cdx, group: sbom}
  annotations:
    - {name: team}
    - {name: fixed, value: x}
  envAllowList: [CHANNEL]
  runner: {type: GITHUB_ACTION}
"""
GROUP = "group sbom (one of spdx, cdx)"


@pytest.fixture
def state() -> CraftingState:
    """Return an attestation to which nothing was added."""
    contract = load(CONTRACT)
    return CraftingState(
        contract=contract.contract,
        pin=WorkflowPin("build", "hello", "acme", "release", 2, contract.digest, run_id="5f0c", project_version="v1"),
        initialized_at=NOW,
        runner=RunnerFacts(RunnerType.GITHUB_ACTION),
        session=Session(expires_at=NOW, latest_contract_revision=3, view_url="https://cp.test/r/5f0c"),
    )


def with_material(state: CraftingState, name: str, kind: MaterialType, value: str | None = None) -> CraftingState:
    filename = None if value else f"{name}.bin"
    material = CraftedMaterial(name, kind, sha256_digest(b""), NOW, value=value, filename=filename)
    return state.with_material(material)


def complete(state: CraftingState) -> CraftingState:
    """Return the attestation with everything that its contract requires."""
    added = with_material(state, "binary", MaterialType.ARTIFACT)
    added = with_material(added, "cdx", MaterialType.SBOM_CYCLONEDX_JSON)
    return replace(added, annotations={"team": "core", "fixed": "x"})


def failed(command: str, error, state: CraftingState | None = None, **facts) -> Told:
    return Told(command, exit_status(error), error, state=state, **facts)


def unmet(state: CraftingState, command: str = "push") -> Told:
    return failed(command, not_met(state, find_missing(state), hint="add what is missing"), state)


# --- requirements


def test_all_that_a_contract_requires_is_a_requirement(state) -> None:
    report = make_report(unmet(state))

    assert {requirement.name: requirement.mark for requirement in report.requirements} == {
        "material binary (ARTIFACT)": Mark.FAILED,
        GROUP: Mark.FAILED,
        "annotation team": Mark.FAILED,
        "variable CHANNEL": Mark.MET,
        "runner": Mark.MET,
    }
    assert {problem.subject for problem in report.problems} == {
        "material binary (ARTIFACT)",
        GROUP,
        "annotation team",
    }


def test_what_is_there_is_met(state) -> None:
    added = with_material(
        with_material(state, "binary", MaterialType.ARTIFACT), "cdx", MaterialType.SBOM_CYCLONEDX_JSON
    )

    marks = {
        requirement.name: requirement.mark for requirement in make_report(Told("status", state=added)).requirements
    }

    assert (marks["material binary (ARTIFACT)"], marks[GROUP]) == (Mark.MET, Mark.MET)
    assert marks["annotation team"] is Mark.OPEN


def test_what_is_missing_while_something_else_failed_is_open(state) -> None:
    report = make_report(failed("push", UnreachableError("no answer"), state))

    assert {requirement.mark for requirement in report.requirements} == {Mark.OPEN, Mark.MET}


def test_a_wrong_type_is_no_missing_material(state) -> None:
    added = with_material(state, "binary", MaterialType.STRING, "x")

    report = make_report(unmet(added))

    assert next(line for line in report.materials if line.name == "binary").status == "wrong"
    assert json.loads(report.outputs["missing-materials"]) == ["spdx|cdx"]


def test_variables_that_are_missing_are_known_before_there_is_an_attestation() -> None:
    findings = [Finding("missing-variable", f"{name} is empty", path=name) for name in ("B", "A")]

    report = make_report(failed("init", VariablesMissingError("2 variables", hint="set them", findings=findings)))

    assert [(r.name, r.mark) for r in report.requirements] == [("variable A", Mark.FAILED), ("variable B", Mark.FAILED)]
    assert report.advice == "Set them."


def test_a_wrong_runner_is_known_before_there_is_an_attestation() -> None:
    report = make_report(failed("init", RunnerMismatchError("GITLAB_PIPELINE", "GITHUB_ACTION")))

    assert [(requirement.name, requirement.mark) for requirement in report.requirements] == [("runner", Mark.FAILED)]
    assert report.verdict == "The contract is not met."


def test_a_refused_material_that_is_optional_is_told_of_too(state) -> None:
    finding = Finding("material-rejected", "the material note: bad", path="/spec/materials/1")

    report = make_report(failed("craft", not_met(state, [finding], hint=""), state))

    assert next(line for line in report.materials if line.name == "note").status == "refused"
    assert ("material note (STRING)", Mark.FAILED) in [(r.name, r.mark) for r in report.requirements]


# --- materials


def test_each_material_has_a_word_for_how_it_stands(state) -> None:
    added = with_material(state, "note", MaterialType.STRING, "hi")
    added = with_material(added, "other", MaterialType.ARTIFACT)

    lines = make_report(Told("status", state=added)).materials

    assert [(line.name, line.value, line.required, line.status) for line in lines] == [
        ("binary", "", True, "missing"),
        ("note", "hi", False, "added"),
        ("spdx", "", False, "not added (group sbom)"),
        ("cdx", "", False, "not added (group sbom)"),
        ("other", "other.bin", False, "added; the contract does not know it"),
    ]


def test_the_facts_name_contract_run_and_version(state) -> None:
    report = make_report(Told("status", state=state))

    assert dict(report.facts) == {
        "Workflow": "build",
        "Project": "hello v1",
        "Contract": "release, revision 2 (newest: 3)",
        "Run": "5f0c",
        "State": "initialized",
        "Attestation": "",
        "Commit": "",
    }
    assert report.link == "https://cp.test/r/5f0c"


def test_a_newest_revision_that_is_the_pinned_one_is_not_told(state) -> None:
    same = replace(state, session=replace(state.session, latest_contract_revision=2))

    assert dict(make_report(Told("status", state=same)).facts)["Contract"] == "release, revision 2"


def test_a_warning_that_is_given_twice_is_told_once(state) -> None:
    assert make_report(Told("push", state=state, warnings=("old", "new", "old"))).warnings == ("old", "new")


def test_what_an_attestation_lacked_that_was_ended_is_nothing_to_do(state) -> None:
    report = make_report(Told("push", state=state, ended=True, run_state="error"))

    assert report.verdict == "The attestation was ended without being stored: error."
    assert report.problems == ()


# --- fixes


def test_craft_is_told_what_to_write_where_its_materials_stand(state) -> None:
    told = replace(unmet(state, "craft"), dialect=Dialect(Plugin.GITHUB, "craft"))

    fixes = {problem.title: problem.fix for problem in make_report(told).problems}

    assert fixes["Missing material"] == "add the line `binary=<file>` under `materials:` of this step"
    assert fixes["Missing group"].endswith(" or add the line `cdx=<file>` under `materials:` of this step")
    assert fixes["Missing annotation"] == "add the line `team=<value>` under `annotations:` of this step"


def test_separate_steps_are_told_the_command(state) -> None:
    [fix] = [problem.fix for problem in make_report(unmet(state)).problems if problem.title == "Missing material"]

    assert fix == "chainloop attestation add --name binary --value <file>"


def test_separate_steps_are_told_the_step_where_there_is_no_command(state) -> None:
    report = make_report(replace(unmet(state), dialect=Dialect(Plugin.GITHUB, "push")))

    fixes = [problem.fix for problem in report.problems if problem.title == "Missing material"]
    assert fixes == ["add a step that uses `actions/add`, with `{name: binary, value: <file>}`"]


def test_wrong_options_are_inputs_where_there_are_no_others() -> None:
    told = failed("craft", UsageError("--job-status: expected how the job ended", hint="leave --job-status out"))

    report = make_report(replace(told, dialect=Dialect(Plugin.GITLAB, "craft")))
    jenkins = make_report(replace(told, dialect=Dialect(Plugin.JENKINS, "craft")))

    assert report.verdict == "The step has wrong inputs; nothing was begun."
    assert (jenkins.problems[0].message, jenkins.problems[0].fix) == (
        "the argument `jobStatus`: expected how the job ended",
        "leave the argument `jobStatus` out",
    )


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        (Plugin.GITHUB, "`actions/upload-artifact`"),
        (Plugin.GITLAB, "as an artifact of this job"),
        (Plugin.JENKINS, "`archiveArtifacts 'chainloop-queued-*,chainloop-queued-*/**'`"),
        (None, "keep it"),
    ],
)
def test_what_was_queued_says_where_it_is_and_what_to_do_with_it(state, plugin: Plugin | None, words: str) -> None:
    report = make_report(Told("craft", state=state, queued="chainloop-queued-1.json", dialect=Dialect(plugin, "craft")))

    assert report.verdict == "The attestation is signed and not stored yet: the control plane did not answer."
    assert words in report.notice
    assert "`chainloop attestation push --resume chainloop-queued-1.json`" in report.notice


def test_a_finding_about_a_document_has_its_place_in_the_message(state) -> None:
    finding = Finding("schema", "expected a list", path="/packages", line=3, column=1)

    [problem] = make_report(failed("add", MaterialRejectedError("bad", findings=[finding]), state)).problems

    assert problem.message == "line 3:1 /packages: expected a list"


# --- outputs


def test_every_output_is_there_whatever_is_known(state) -> None:
    names = [output.name for output in OUTPUTS]

    for told in (Told("push"), Told("status", state=state), failed("init", NotAuthenticatedError("no token"))):
        assert list(make_report(told).outputs) == names


def test_a_run_that_was_never_answered_for_has_no_id(state) -> None:
    unanswered = replace(state, session=replace(state.session, expires_at=None))

    outputs = make_report(Told("init", state=unanswered)).outputs

    assert (outputs["run-id"], outputs["state"]) == ("", "")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, "initialized"),
        ({"ended": True, "run_state": "canceled"}, "canceled"),
        ({"ended": True}, ""),
        ({"exit_status": 6, "error": UnreachableError("x")}, "unreachable"),
        ({"exit_status": 1, "error": RunEndedError("x")}, ""),
        ({"outputs": {"state": "queued"}}, "queued"),
    ],
)
def test_the_state_is_the_run_s_or_what_is_known_instead(state, facts, expected: str) -> None:
    assert make_report(Told("push", state=state, **facts)).outputs["state"] == expected


def test_what_the_control_plane_refused_is_not_compliant_though_nothing_is_missing(state) -> None:
    finding = Finding("content-unreadable", "the material binary cannot be read")
    refused = AttestationRefusedError("the control plane found more", findings=[finding])

    reports = [
        make_report(told) for told in (Told("push", state=complete(state)), failed("push", refused, complete(state)))
    ]

    assert [report.outputs["compliant"] for report in reports] == ["true", "false"]


@pytest.mark.parametrize(("verified", "words"), [(True, "stored and verified"), (False, "stored, but not verified")])
def test_what_is_stored_says_whether_it_was_verified(state, verified: bool, words: str) -> None:
    done = complete(state)
    stored = replace(MemoryPlane().store_attestation("5f0c", "", b"bundle"), verified=verified)

    report = make_report(Told("push", state=done, pushed=Pushed(done, b"bundle", stored.digest, stored)))

    assert words in report.verdict


def test_a_command_may_know_an_output_better_but_adds_none(state) -> None:
    outputs = make_report(Told("push", state=state, outputs={"bundle-path": "q.json", "other": "x"})).outputs

    assert outputs["bundle-path"] == "q.json"
    assert "other" not in outputs


# --- words


def test_a_token_that_may_not_do_something_is_no_wrong_token() -> None:
    error = NotAllowedError("the contract differs from the stored one")

    verdict = make_report(Told("init", exit_status=exit_status(error), error=error)).verdict

    assert verdict == "The token may not do what was asked."


def test_every_status_that_an_attestation_command_fails_with_has_words() -> None:
    of_verify = {7, 8, 9}

    assert set(EXIT_STATUSES.values()) - of_verify <= set(MEANINGS)
    assert {SUCCESS, ABANDONED}.isdisjoint(MEANINGS)


@pytest.mark.parametrize("command", ["init", "add", "status", "push", "reset", "craft"])
def test_a_command_that_knows_nothing_says_so(command: str) -> None:
    report = make_report(Told(command))

    assert report.verdict.startswith(("No attestation ", "There was no attestation "))
    assert not report.failed


def test_why_a_job_goes_on_is_said_after_what_to_do(state) -> None:
    told = replace(unmet(state), goes_on="The job goes on.")

    assert make_report(told).advice == "Add what is missing. The job goes on."
