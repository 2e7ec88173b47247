"""R38 from the command line, against a control plane: warned before the date, refused after it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.live import CONTRACT, Answer, CommandLine, Job

STRICTER = CONTRACT + "    - name: scan\n      type: SARIF\n    - name: notes\n      type: EVIDENCE\n"
SARIF = json.dumps({"version": "2.1.0", "runs": []})


@pytest.fixture
def operator(job: Job) -> CommandLine:
    """Return the command line of an operator."""
    env = {"CHAINLOOP_CONTROL_PLANE_API": job.tenant.url, "CHAINLOOP_TOKEN": job.tenant.token("operate")}
    return CommandLine(job.tenant.folder, env)


def apply(operator: CommandLine, *words: str) -> Answer:
    (operator.folder / "contract.yaml").write_text(STRICTER)
    return operator("workflow", "contract", "apply", "-f", "contract.yaml", *words)


def craft(job: Job, *materials: str, env: dict[str, str] | None = None) -> Answer:
    (job.chainloop.folder / "app").write_bytes(b"a program")
    given = ("binary=app", "version=1.2.3", *materials)
    words = [word for pair in given for word in ("--material", pair)]
    return job.chainloop("attestation", "craft", *words, env=env)


def test_r38_a_step_succeeds_before_the_date_and_is_warned_in_log_and_summary(
    job: Job, operator: CommandLine, tmp_path: Path
) -> None:
    applied = apply(operator, "--enforce-from", "14d")

    crafted = craft(job, env={"CHAINLOOP_REPORT_DIR": "report"})

    warned = [line for line in crafted.stderr.splitlines() if "the material scan (SARIF) is required" in line]
    summary = (tmp_path / "report" / "report.md").read_text()
    assert (applied.status, crafted.status) == (0, 0), crafted.stderr
    assert len(warned) == 1
    assert "revision 2" in warned[0]
    assert "what to do: " in warned[0]
    assert "the material scan" in summary
    assert job.runs()[0]["state"] == "success"


def test_r38_status_shows_what_will_be_required_and_add_takes_its_type(job: Job, operator: CommandLine) -> None:
    apply(operator, "--enforce-from", "14d")
    job.chainloop("attestation", "init")
    before = job.chainloop("attestation", "status", "-o", "json").document
    (job.chainloop.folder / "notes.txt").write_text("all of it")
    (job.chainloop.folder / "scan.txt").write_text(SARIF)

    added = job.chainloop("attestation", "add", "--name", "notes", "--value", "notes.txt")
    refused = job.chainloop("attestation", "add", "--name", "scan", "--value", "notes.txt")
    job.chainloop("attestation", "add", "--name", "scan", "--value", "scan.txt")

    after = job.chainloop("attestation", "status", "-o", "json").document
    table = job.chainloop("attestation", "status").stdout
    assert [item["message"].split()[2] for item in before["compliance"]["newRequirements"]] == ["scan", "notes"]
    assert [item["message"].split()[2] for item in before["compliance"]["missing"]] == ["binary", "version"]
    assert (added.status, refused.status) == (0, 3)
    assert "does not know" not in added.stderr
    assert {item["name"]: item["type"] for item in after["materials"]}["notes"] == "EVIDENCE"
    assert after["compliance"]["newRequirements"] == []
    assert "Will be required" not in table


def test_r38_after_the_date_the_same_step_ends_with_3(job: Job, operator: CommandLine) -> None:
    apply(operator, "--enforce-from", "14d")
    before = craft(job)

    at_once = apply(operator, "--enforce-from", "now")
    after = craft(job)

    assert (before.status, at_once.status, after.status) == (0, 0, 3)
    assert "the material scan (SARIF) is required and was not added" in after.stderr
    assert [run["state"] for run in job.runs()] == ["error", "success"]


def test_r38_the_newer_text_in_the_checkout_is_no_reason_to_refuse_the_job(job: Job, operator: CommandLine) -> None:
    apply(operator, "--enforce-from", "14d")

    begun = job.chainloop("attestation", "init", "--contract", "contract.yaml", "-o", "json")

    assert begun.status == 0, begun.stderr
    assert begun.document["workflowMeta"]["ContractRevision"] == "1"
    assert len(begun.document["compliance"]["newRequirements"]) == 2


def test_r38_a_variable_that_will_be_required_is_recorded_where_it_is_set(job: Job, operator: CommandLine) -> None:
    (operator.folder / "contract.yaml").write_text(CONTRACT + "  envAllowList: [REGION]\n")
    operator("workflow", "contract", "apply", "-f", "contract.yaml", "--enforce-from", "14d")

    without, with_it = craft(job), craft(job, env={"REGION": "north"})

    assert (without.status, with_it.status) == (0, 0)
    assert "the environment variable REGION is required" in without.stderr
    assert "REGION" not in with_it.stderr


@pytest.mark.parametrize("date", ["2020-01-31", "soon", "2026-13-01"])
def test_r38_a_date_that_is_none_or_has_passed_stores_nothing(job: Job, operator: CommandLine, date: str) -> None:
    refused = apply(operator, "--enforce-from", date)

    assert refused.status != 0
    assert job.tenant.call("GET", "/contracts/build")["latestRevision"] == 1
