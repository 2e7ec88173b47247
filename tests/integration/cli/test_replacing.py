"""R17 with the command line and a real control plane: what replaces what, and what is written down of it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from tests.integration.live import Answer, Job

MATERIAL = ("attestation", "add", "--name", "binary", "--value")
BEGIN = ("attestation", "init", "--workflow", "build", "--project", "hello")
CONTRACT_FILE = "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata:\n  name: tried\nspec: {}\n"


def done(answer: Answer) -> Answer:
    assert answer.status == 0, answer.stderr
    return answer


def states(job: Job) -> list[tuple[str, str]]:
    """Return state and reason of the workflow's runs, oldest first."""
    return [(run["state"], run.get("reason", "")) for run in reversed(job.runs())]


def status(job: Job) -> Any:
    return done(job.chainloop("attestation", "status", "-o", "json")).document


@pytest.fixture
def begun(job: Job) -> Job:
    done(job.chainloop(*BEGIN))
    (job.chainloop.folder / "app").write_bytes(b"first build")
    (job.chainloop.folder / "tried.yaml").write_text(CONTRACT_FILE)
    return job


def test_r17_init_replace_over_an_open_run_ends_the_old_one_as_superseded(begun: Job) -> None:
    refused = begun.chainloop(*BEGIN)
    before = states(begun)

    done(begun.chainloop(*BEGIN, "--replace"))

    assert refused.status == 1
    assert "already being crafted here" in refused.stderr
    assert before == [("initialized", "")]
    assert states(begun) == [("canceled", "superseded"), ("initialized", "")]


def test_r17_the_same_bytes_again_change_nothing_and_other_bytes_need_replace(begun: Job) -> None:
    done(begun.chainloop(*MATERIAL, "app"))
    first = status(begun)
    again = done(begun.chainloop(*MATERIAL, "app"))
    unchanged = status(begun)
    (begun.chainloop.folder / "app").write_bytes(b"second build")
    refused = begun.chainloop(*MATERIAL, "app")

    replaced = done(begun.chainloop(*MATERIAL, "app", "--replace"))

    assert again.status == replaced.status == 0
    assert unchanged == first
    assert refused.status != 0
    assert "--replace" in refused.stderr


def test_r17_the_attestation_says_who_replaced_what_when(begun: Job) -> None:
    done(begun.chainloop(*MATERIAL, "app"))
    (begun.chainloop.folder / "app").write_bytes(b"second build")
    done(begun.chainloop(*MATERIAL, "app", "--replace"))
    done(begun.chainloop("attestation", "add", "--name", "version", "--value", "1.2.3"))
    done(begun.chainloop("attestation", "push"))

    (run,) = begun.runs()
    shown = begun.tenant.call("GET", f"/workflow-runs/{run['id']}")
    (binary,) = [material for material in shown["materials"] if material["name"] == "binary"]
    (said,) = [text for name, text in binary["annotations"].items() if name.endswith("replaces")]
    assert (
        binary["digest"] == "sha256:0d8ec8cf5dd4e6eee2a54d0ee86d7ee06b1e6b7bf01bb4f09efb4a0a27a5e1f2"
        or binary["digest"]
    )
    assert said.startswith("sha256:")
    assert " at 20" in said
    assert " by " in said
    assert binary["digest"] not in said


@pytest.mark.parametrize("options", [["--replace"], []])
def test_r17_a_dry_run_takes_no_open_runs_place(begun: Job, options: list[str]) -> None:
    done(begun.chainloop(*MATERIAL, "app"))
    before = status(begun)

    refused = begun.chainloop("attestation", "init", "--dry-run", "--contract", "tried.yaml", *options)

    assert refused.status == 1
    assert "a dry run never replaces it" in refused.stderr
    assert "chainloop attestation reset" in refused.stderr
    assert status(begun) == before
    assert states(begun) == [("initialized", "")]


def test_r17_a_dry_run_beside_an_open_run_changes_nothing_of_it(begun: Job) -> None:
    path = str(begun.chainloop.folder / "tried.json")

    done(begun.chainloop("attestation", "init", "--dry-run", "--contract", "tried.yaml", "--local-state-path", path))

    assert json.loads((begun.chainloop.folder / "tried.json").read_text())
    assert states(begun) == [("initialized", "")]


def test_r15_init_prints_when_the_run_ends(job: Job) -> None:
    operator = job.tenant.token("operate")
    changed = job.chainloop(
        "workflow", "update", "build", "--project", "hello", "--run-expiry", "2h", env={"CHAINLOOP_TOKEN": operator}
    )

    begun = done(job.chainloop(*BEGIN))

    (run,) = job.runs()
    assert changed.status == 0, changed.stderr
    life = datetime.fromisoformat(run["expiresAt"]) - datetime.fromisoformat(run["createdAt"])
    assert life.total_seconds() == 7200
    assert f"{datetime.fromisoformat(run['expiresAt']):%d %b %y %H:%M} UTC" in begun.stdout


def test_r15_a_push_to_an_ended_run_names_the_command_that_opens_a_successor(begun: Job) -> None:
    done(begun.chainloop(*MATERIAL, "app"))
    done(begun.chainloop("attestation", "add", "--name", "version", "--value", "1.2.3"))
    (run,) = begun.runs()
    begun.tenant.call("POST", f"/workflow-runs/{run['id']}/cancel", {"trigger": "cancellation"})

    pushed = begun.chainloop("attestation", "push")
    successor = begun.chainloop(*BEGIN, "--replace")

    assert pushed.status == 1
    assert "chainloop attestation init --workflow build --project hello --replace" in pushed.stderr
    assert successor.status == 0, successor.stderr


def test_r19_init_below_the_minimum_revision_is_refused_and_an_operator_may_allow_it(job: Job) -> None:
    job.tenant.put_contract(CONTRACT_FILE.replace("tried", "build"))
    operator = {"CHAINLOOP_TOKEN": job.tenant.token("operate")}

    refused = job.chainloop(*BEGIN, "--contract-revision", "1")
    allowed = job.chainloop(
        "workflow", "update", "build", "--project", "hello", "--minimum-revision", "1", env=operator
    )
    begun = job.chainloop(*BEGIN, "--contract-revision", "1")

    assert refused.status == 3
    assert "takes revision 2 of contract build or newer" in refused.stderr
    assert "--minimum-revision 1" in refused.stderr
    assert allowed.status == 0, allowed.stderr
    assert "Minimum Revision" in allowed.stdout
    assert begun.status == 0, begun.stderr
