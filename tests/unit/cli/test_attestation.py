"""The attestation commands as a user types them, with a control plane in memory."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from chainloop_ci.cli.main import run
from chainloop_ci.errors import AttestationRefusedError, NotAuthenticatedError, UnreachableError
from tests.unit.cli.attesting import att as att
from tests.unit.cli.attesting import complete as complete
from tests.unit.cli.attesting import key as key
from tests.unit.cli.attesting import private_pem as private_pem
from tests.unit.cli.attesting import world_of as world_of
from tests.unit.cli.conftest import Screen
from tests.unit.crafting.memory import CONTRACT, NOW, revision_of


def labels(table: str) -> list[str]:
    return [line.split("│")[1].strip() for line in table.splitlines() if line.startswith("│")]


def test_init_prints_the_labels_of_the_transcript_and_more(att) -> None:
    done = att("init")

    assert done.err.splitlines()[:2] == [
        "INF Retrieving workflow information from the control plane",
        "INF Attestation initialized! now you can check its status or add materials to it",
    ]
    shown = labels(done.out)
    assert shown[:6] == ["Initialized At", "Workflow", "Name", "Team", "Project", "Contract Revision"]
    assert "Expires At" in shown
    assert "│ NAME   │ TYPE                │ SET │ REQUIRED │ IS OUTPUT │" in done.out


def test_a_place_that_is_no_ci_system_is_said_in_words(att) -> None:
    done = att("init")

    assert "│ no CI system that is known here (RUNNER_TYPE_UNSPECIFIED, claimed) │" in done.out


def test_init_says_why_no_commit_is_recorded(att, tmp_path) -> None:
    outside = att("init", "--dry-run")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")

    empty = att("init", "--dry-run", "--replace", "--local-state-path", "other")

    assert "INF no commit is recorded: this folder is in no git repository" in outside.err
    assert "INF no commit is recorded: the git repository has no commit yet" in empty.err


def test_init_says_nothing_of_a_commit_that_the_job_named(att) -> None:
    env = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/app", "GITHUB_RUN_ID": "1"}

    done = att("init", "--dry-run", env={**env, "GITHUB_SHA": "6417e226890ae1340cecc9cd9d7692445ee3338e"})

    assert "no commit is recorded" not in done.err


def test_init_notes_that_no_signing_key_is_known(att) -> None:
    done = att("init", env={"CHAINLOOP_SIGNING_KEY": ""})

    assert done.status == 0
    assert "no signing key is known yet" in done.err


def test_names_may_be_variables(att, plane) -> None:
    att(
        "init",
        env={"CHAINLOOP_WORKFLOW_NAME": "build", "CHAINLOOP_PROJECT_NAME": "demo", "CHAINLOOP_CONTRACT_REVISION": "1"},
    )

    assert plane.calls[0] == ("get_crafting_context", ("build", "demo", 1))


def test_revision_0_is_the_newest(att, plane) -> None:
    att("init", "--contract-revision", "0")

    assert plane.calls[0] == ("get_crafting_context", (None, None, None))


def test_the_project_file_gives_names_version_and_annotations(att, plane, tmp_path) -> None:
    (tmp_path / ".chainloop.yml").write_text(
        "projectVersion: v9\nattestations:\n  - {name: a, workflow: build, project: demo, annotations: {owner: me}}\n"
    )

    done = att("init", "-o", "json")

    assert plane.calls[0] == ("get_crafting_context", ("build", "demo", None))
    assert done.json["workflowMeta"]["ProjectVersion"]["version"] == "v9"
    assert done.json["annotations"] == [{"name": "owner", "value": "me"}]


def test_r21_a_project_file_that_names_a_server_is_refused(att, plane, tmp_path) -> None:
    (tmp_path / ".chainloop.yml").write_text("controlPlane: https://evil.test\n")

    done = att("init")

    assert done.status == 1
    assert "controlPlane" in done.err
    assert plane.calls == []


def test_an_unknown_entry_of_the_project_file_is_a_usage_error(att, tmp_path) -> None:
    (tmp_path / ".chainloop.yml").write_text("attestations: [{name: a}]\n")

    done = att("init", "--attestation-name", "b")

    assert done.status == 2
    assert "it has: a" in done.err


@pytest.mark.parametrize("contract", ["https://example.com/contract.yaml", "missing.yaml"])
def test_a_contract_that_is_no_file_is_refused(att, plane, contract) -> None:
    done = att("init", "--contract", contract)

    assert done.status in (1, 2)
    assert plane.calls == []


def test_the_wrong_runner_ends_with_3(att, plane) -> None:
    plane.revision = revision_of(CONTRACT + b"  runner: {type: GITHUB_ACTION}\n")

    done = att("init")

    assert done.status == 3
    assert "--dry-run" in done.err


def test_a_control_plane_that_does_not_answer_ends_with_6(att, plane) -> None:
    plane.failures["get_crafting_context"] = [UnreachableError("https://cp.test gave no answer")]

    done = att("init")

    assert done.status == 6


def test_graceful_exit_ends_with_0_and_says_so(att, plane) -> None:
    plane.failures["get_crafting_context"] = [UnreachableError("https://cp.test gave no answer")]

    done = att("--graceful-exit", "init")

    assert done.status == 0
    assert "ERR https://cp.test gave no answer" in done.err
    assert "WRN ended with 0, as --graceful-exit asks status=6" in done.err


def test_graceful_exit_is_not_for_a_second_init_and_says_so(att) -> None:
    att("init")

    done = att("init", "--graceful-exit")

    assert done.status == 1
    assert "WRN --graceful-exit is not for this error" in done.err


def test_the_help_of_graceful_exit_says_what_it_is_not_for(att) -> None:
    assert "not for wrong options or a second init" in " ".join(att("init", "--help").out.split())


def test_a_graceful_exit_that_is_no_truth_value_is_a_usage_error(att, plane) -> None:
    plane.failures["get_crafting_context"] = [UnreachableError("https://cp.test gave no answer")]

    assert att("init", env={"CHAINLOOP_GRACEFUL_EXIT": "maybe"}).status == 2


@pytest.mark.parametrize("line", [("add", "--value", "x", "--graceful-exit"), ("--graceful-exit", "status")])
def test_graceful_exit_is_refused_where_it_does_not_hold(att, line) -> None:
    done = att(*line)

    assert done.status == 2
    assert "--graceful-exit is for craft, init, push and reset" in done.err
    assert "--graceful-exit" not in att("add", "--help").out


def test_the_variable_of_graceful_exit_is_for_a_whole_job(att) -> None:
    att("init")

    assert att("status", env={"CHAINLOOP_GRACEFUL_EXIT": "true"}).status == 0
    assert att("add", "--value", "./absent", env={"CHAINLOOP_GRACEFUL_EXIT": "true"}).status == 1


def test_add_says_what_it_added(att) -> None:
    att("init")

    done = att("add", "--name", "commit", "--value", "deadbeef", "-o", "json")

    assert "INF material added to attestation name=commit" in done.err
    [material] = done.json
    assert (material["name"], material["value"], material["Set"]) == ("commit", "deadbeef", True)


def test_a_misspelt_material_can_be_taken_out_again(att) -> None:
    att("init")
    added = att("add", "--name", "comit", "--value", "deadbeef")

    done = att("remove", "--name", "comit", "-o", "json")

    assert "WRN the contract does not know the material comit" in added.err
    assert "did_you_mean=commit" in added.err
    assert done.status == 0
    assert [entry["name"] for entry in done.json] == ["comit"]
    assert "comit" not in att("status").out


def test_removing_what_was_not_added_is_an_error(att) -> None:
    att("init")

    done = att("remove", "--name", "commit")

    assert done.status == 1
    assert "hint: added are: none" in done.err


def test_add_reports_the_upload(att) -> None:
    att("init")

    done = att("add", "--name", "binary", "--value", "app.bin")

    assert "INF uploaded file=app.bin size=6B" in done.err


def test_an_unknown_type_gets_a_suggestion(att) -> None:
    done = att("add", "--value", "x", "--kind", "SBOM_CYCLONEDX")

    assert done.status == 2
    assert "did you mean SBOM_CYCLONEDX_JSON?" in done.err


def test_registry_credentials_in_part_are_refused(att) -> None:
    done = att("add", "--value", "x", "--registry-server", "ghcr.io")

    assert done.status == 2
    assert "--registry-username, --registry-password" in done.err


def test_r22_system_folders_are_refused(att) -> None:
    att("init")

    done = att("add", "--name", "binary", "--value", "/proc/self/environ")

    assert done.status == 1
    assert "system folder" in done.err


def test_a_wrong_document_ends_with_3_and_names_the_place(att, tmp_path) -> None:
    (tmp_path / "sbom.json").write_text('{"bomFormat": "CycloneDX",}')
    att("init")

    done = att("add", "--name", "sbom", "--value", "sbom.json")

    assert done.status == 3
    assert "sbom.json" in done.err


def test_status_names_what_is_missing_and_what_to_type(att) -> None:
    att("init")

    done = att("status")

    assert done.status == 0
    assert "chainloop attestation add --name commit --value <text>" in done.out


def test_r15_the_status_of_an_expired_run_says_so_and_how_to_begin_again(att, world_of) -> None:
    att("init", env={"CHAINLOOP_LOCAL_STATE_PATH": "state.json"})
    world = world_of(stdout=Screen())
    world.now = lambda: NOW + timedelta(hours=6)

    run(["attestation", "status", "--local-state-path", "state.json"], world)

    assert "expired; begin again with" in " ".join(world.stdout.getvalue().split())


def test_status_full_shows_values(att, complete) -> None:
    done = att("status", "--full")

    assert "VALUE" in done.out
    assert "app.bin@sha256:9a3a45d01531a20e89ac6ae10b0b0beb0492acd7216a368aa062d1a5fecaf9cd" in done.out


def test_the_status_document_has_every_key_that_scripts_read(att, complete, corpus) -> None:
    theirs = json.loads((corpus / "go-product" / "status.json").read_text())

    ours = att("status", "-o", "json").json

    assert theirs.keys() <= ours.keys()
    assert theirs["workflowMeta"].keys() <= ours["workflowMeta"].keys()
    assert theirs["runnerContext"].keys() <= ours["runnerContext"].keys()
    assert set().union(*theirs["materials"]) <= ours["materials"][0].keys()


def test_the_status_document_lists_what_is_missing(att) -> None:
    att("init")

    compliance = att("status", "-o", "json").json["compliance"]

    assert compliance["met"] is False
    assert [finding["code"] for finding in compliance["missing"]] == ["missing-material", "missing-material"]


def test_r37_a_contract_without_requirements_is_not_called_met(att, plane) -> None:
    plane.revision = revision_of(b"apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: none}\nspec: {}\n")

    assert "│ no requirements" in att("init").out


def test_reset_ends_the_run(att, plane) -> None:
    att("init")

    done = att("reset", "--trigger", "cancellation", "--reason", "stopped")

    assert done.status == 0
    assert plane.names.count("cancel_run") == 1
    assert att("status").status == 1


@pytest.mark.parametrize(("trigger", "became"), [("failure", "error"), ("cancellation", "canceled")])
def test_reset_says_what_the_run_became(att, trigger, became) -> None:
    att("init")

    done = att("reset", "--trigger", trigger, "-o", "json")

    assert f"state={became} trigger={trigger}" in done.err
    assert done.json["state"] == became


def test_reset_of_a_dry_run_names_no_run(att) -> None:
    att("init", "--dry-run")

    assert 'INF Attestation forgotten here run="dry run"' in att("reset").err


def test_with_a_revoked_token_reset_names_the_way_out_and_force_takes_it(att, plane) -> None:
    att("init")
    plane.failures["cancel_run"] = [NotAuthenticatedError("revoked"), NotAuthenticatedError("revoked")]

    refused = att("reset")
    forced = att("reset", "--force")

    assert refused.status == 5
    assert "reset --force" in refused.err
    assert forced.status == 0
    assert "WRN the control plane was not told" in forced.err
    assert att("init").status == 0


@pytest.mark.parametrize("command", [["reset"], ["reset", "--force"], ["init", "--replace"], ["status"]])
def test_a_file_that_is_no_state_is_never_destroyed(att, tmp_path, command) -> None:
    (tmp_path / "README.md").write_text("# Mine\n")

    done = att(*command, "--local-state-path", "README.md")

    assert done.status == 1
    assert "a file that chainloop did not write" in done.err
    assert (tmp_path / "README.md").read_text() == "# Mine\n"


def test_reset_with_nothing_to_reset_is_a_warning(att) -> None:
    done = att("reset", "-o", "json")

    assert done.status == 0
    assert done.json["reset"] is False


def test_no_secret_is_ever_printed(att, complete, plane) -> None:
    plane.failures["store_attestation"] = [AttestationRefusedError("refused")]
    token = "clp_" + "s3cr3t" * 8

    shown = [
        att(*line, "--debug", env={"CHAINLOOP_TOKEN": token}) for line in (["push"], ["status", "--full"], ["reset"])
    ]

    text = "".join(done.out + done.err for done in shown)
    assert token not in text
    assert "PRIVATE KEY" not in text
