"""`--on-unreachable queue` and `push --resume`: an attestation without a control plane, and its late run (R20)."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from chainloop_ci.client.sealing import QueuedHandles
from chainloop_ci.digests import sha256_digest
from chainloop_ci.queued import CLEAR_MEDIA_TYPE, MAX_EMBEDDED_BYTES
from examples.demo.control_plane import ControlPlane
from tests.integration.live import CONTRACT, IMPATIENT, Answer, Job, Tenant

NOBODY = "http://127.0.0.1:1"
NAMES = ("--project", "hello", "--workflow", "build")
MATERIALS = ("--material", "binary=app", "--material", "version=1.2.3")
CRAFT = ("attestation", "craft", *NAMES, *MATERIALS)
QUEUE = {"CHAINLOOP_ON_UNREACHABLE": "queue"}
DOWN = {**QUEUE, **IMPATIENT, "CHAINLOOP_CONTROL_PLANE_API": NOBODY}


@pytest.fixture
def built(job: Job) -> Job:
    """Return a job that has built something and has the contract in its checkout."""
    (job.chainloop.folder / "app").write_bytes(b"the build")
    (job.chainloop.folder / "contract.yaml").write_text(CONTRACT)
    return job


def queued_file(job: Job) -> Path:
    """Return the one file that was kept."""
    [path] = job.chainloop.folder.glob("chainloop-queued-*.json")
    return path


def craft_offline(job: Job) -> Path:
    """Craft while the control plane is down, and return what was kept."""
    crafted = job.chainloop(*CRAFT, "--contract", "contract.yaml", env=DOWN)
    assert crafted.status == 0, crafted.stderr
    return queued_file(job)


def resume(job: Job, path: Path, **env: str) -> Answer:
    return job.chainloop("attestation", "push", "--resume", path, env={"CHAINLOOP_SIGNING_KEY": "", **env})


def describe(job: Job, run_id: str) -> Any:
    return job.tenant.call("GET", f"/workflow-runs/{run_id}")


def test_what_nobody_could_obey_beside_resume_is_refused_all_at_once(built: Job) -> None:
    kept = craft_offline(built)
    words = ("--annotation", "team=core", "--job-status", "failure", "--sealed-handle", "x")

    refused = built.chainloop("attestation", "push", "--resume", kept, *words)

    assert refused.status == 2
    assert "--annotation, --job-status, --sealed-handle: given beside --resume" in refused.stderr
    assert built.runs() == []


def test_variables_that_are_for_the_whole_job_do_not_stop_a_late_run(built: Job) -> None:
    kept = craft_offline(built)

    resumed = resume(built, kept, CHAINLOOP_JOB_STATUS="failure", CHAINLOOP_ANNOTATIONS="team=core")

    assert resumed.status == 0, resumed.stderr
    assert "WRN the annotations given now are not used" in resumed.stderr
    assert [run["state"] for run in built.runs()] == ["success"]


def test_r20_what_was_crafted_without_a_control_plane_becomes_a_late_run(built: Job) -> None:
    kept = craft_offline(built)
    assert built.runs() == []

    resumed = resume(built, kept)

    assert resumed.status == 0, resumed.stderr
    [run] = built.runs()
    assert (run["state"], run["late"], run["contractRevision"]) == ("success", True, run["contractRevisionLatest"])
    assert kept.name == f"chainloop-queued-{run['id']}.json"
    detail = describe(built, run["id"])
    assert detail["verified"] is True
    assert {material["name"]: material["stored"] for material in detail["materials"]} == {
        "binary": "cas",
        "version": "inline",
    }


def test_the_steps_of_a_job_do_the_same_one_by_one(built: Job) -> None:
    steps = (
        ("init", *NAMES, "--contract", "contract.yaml"),
        ("add", "--name", "binary", "--value", "app"),
        ("add", "--name", "version", "--value", "1.2.3"),
        ("status",),
        ("push",),
    )

    ended = [built.chainloop("attestation", *step, env=DOWN) for step in steps]
    resumed = resume(built, queued_file(built))

    assert [answer.status for answer in ended] == [0] * len(steps), [answer.stderr for answer in ended]
    assert resumed.status == 0, resumed.stderr
    assert [(run["state"], run["late"]) for run in built.runs()] == [("success", True)]


def test_resuming_twice_gives_the_same_answer(built: Job) -> None:
    kept = craft_offline(built)

    first, second = resume(built, kept), resume(built, kept)

    assert (first.status, second.status) == (0, 0), second.stderr
    assert first.stdout == second.stdout
    assert len(built.runs()) == 1


def test_the_file_is_for_its_user_only_and_holds_no_token_no_handle_and_no_key(built: Job) -> None:
    kept = craft_offline(built)

    text = kept.read_text()

    assert "runHandle" not in text
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert built.token not in text
    assert "PRIVATE KEY" not in text
    assert not (built.chainloop.folder / "state.json").exists()
    assert not (built.chainloop.folder / "state.json.contents").exists()


def test_a_large_content_travels_beside_the_file(built: Job, tmp_path_factory: pytest.TempPathFactory) -> None:
    (built.chainloop.folder / "app").write_bytes(b"x" * (MAX_EMBEDDED_BYTES + 1))
    kept = craft_offline(built)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    alone = shutil.copy(kept, elsewhere)

    incomplete = resume(built, Path(alone))
    shutil.copytree(kept.with_suffix(".files"), elsewhere / kept.with_suffix(".files").name)
    complete = resume(built, Path(alone))

    assert incomplete.status == 1
    assert f"keep {kept.stem}.files beside {kept.name}" in incomplete.stderr
    assert complete.status == 0, complete.stderr


def test_r20_a_late_run_is_judged_by_the_newest_revision(built: Job) -> None:
    kept = craft_offline(built)
    built.tenant.put_contract(CONTRACT + "    - {name: sbom, type: SBOM_CYCLONEDX_JSON}\n")

    refused = resume(built, kept)

    assert refused.status == 3
    assert "the material sbom (SBOM_CYCLONEDX_JSON) is required" in refused.stderr
    assert [(run["state"], run["refusals"]) for run in built.runs()] == [("initialized", 1)]


def test_r20_the_revision_that_the_job_was_held_to_does_not_matter(built: Job) -> None:
    kept = craft_offline(built)
    built.tenant.put_contract(CONTRACT + "  # the same, said anew\n")

    resumed = resume(built, kept)

    assert resumed.status == 0, resumed.stderr
    assert "the contract is another one than the job was held to" in resumed.stderr
    assert "the job was held to sha256:" in describe(built, built.runs()[0]["id"])["verification"]["contract"]["reason"]


def test_a_control_plane_that_went_down_at_push_gets_its_own_run_completed(built: Job) -> None:
    for step in (
        ("init", *NAMES),
        ("add", "--name", "binary", "--value", "app"),
        ("add", "--name", "version", "--value", "1"),
    ):
        assert built.chainloop("attestation", *step).status == 0
    pushed = built.chainloop("attestation", "push", env=DOWN)

    resumed = resume(built, queued_file(built))

    assert (pushed.status, resumed.status) == (0, 0), resumed.stderr
    assert [(run["state"], run["late"]) for run in built.runs()] == [("success", False)]


def test_one_that_went_down_at_add_gets_the_content_later(built: Job) -> None:
    assert built.chainloop("attestation", "init", *NAMES).status == 0
    steps = (("add", "--name", "binary", "--value", "app"), ("add", "--name", "version", "--value", "1"), ("push",))

    ended = [built.chainloop("attestation", *step, env=DOWN) for step in steps]
    resumed = resume(built, queued_file(built))

    assert [answer.status for answer in ended] == [0, 0, 0], [answer.stderr for answer in ended]
    assert "what is added from here on is kept for later" in ended[0].stderr
    assert resumed.status == 0, resumed.stderr
    assert [(run["state"], run["late"]) for run in built.runs()] == [("success", False)]


def test_r15_a_run_that_ended_meanwhile_is_followed_by_a_late_one_that_is_signed_again(built: Job) -> None:
    for step in (("init", *NAMES), ("add", "--name", "version", "--value", "1")):
        assert built.chainloop("attestation", *step).status == 0
    for step in (("add", "--name", "binary", "--value", "app"), ("push",)):
        assert built.chainloop("attestation", *step, env=DOWN).status == 0
    kept = queued_file(built)
    ended = built.runs()[0]["id"]
    built.tenant.call("POST", f"/workflow-runs/{ended}/cancel", {"trigger": "cancellation"})

    without_key = resume(built, kept)
    with_key = resume(built, kept, CHAINLOOP_SIGNING_KEY=str(built.key))

    assert without_key.status == 5
    assert "the run has ended meanwhile" in without_key.stderr
    assert with_key.status == 0, with_key.stderr
    assert [(run["state"], run["late"]) for run in built.runs()] == [("success", True), ("canceled", False)]
    assert built.runs()[1]["id"] == ended


def other_token(job: Job) -> str:
    """Return another token for the same workflow, as after a rotation."""
    return job.tenant.token("attest", project="hello", workflow="build")


def queue_begun(job: Job) -> Path:
    """Begin a run, lose the control plane, and return what was kept."""
    assert job.chainloop("attestation", "init", *NAMES).status == 0
    for step in (
        ("add", "--name", "binary", "--value", "app"),
        ("add", "--name", "version", "--value", "1"),
        ("push",),
    ):
        assert job.chainloop("attestation", *step, env=DOWN).status == 0
    return queued_file(job)


def test_r14_what_the_file_says_of_the_handle_does_not_speak_for_the_run(built: Job) -> None:
    kept = queue_begun(built)
    sealed = json.loads(kept.read_text())["sealedHandle"]
    run_id = built.runs()[0]["id"]

    refused = built.tenant.request(
        "POST",
        f"/workflow-runs/{run_id}/cancel",
        {"trigger": "cancellation"},
        token=built.token,
        headers={"Chainloop-Run-Handle": sealed},
    )

    assert refused.status == 403
    assert [run["state"] for run in built.runs()] == ["initialized"]


def test_r20_what_was_crafted_without_a_control_plane_is_completed_with_another_token(built: Job) -> None:
    kept = craft_offline(built)

    resumed = resume(built, kept, CHAINLOOP_TOKEN=other_token(built))
    again = resume(built, kept)

    assert resumed.status == 0, resumed.stderr
    assert again.status == 0, again.stderr
    assert [(run["state"], run["late"]) for run in built.runs()] == [("success", True)]


def test_r14_with_another_token_an_open_run_is_not_completed_but_followed_by_a_late_one(built: Job) -> None:
    kept, other = queue_begun(built), other_token(built)

    without_key = resume(built, kept, CHAINLOOP_TOKEN=other)
    with_key = resume(built, kept, CHAINLOOP_TOKEN=other, CHAINLOOP_SIGNING_KEY=str(built.key))

    assert without_key.status == 5
    assert "sealed under another token" in without_key.stderr
    assert with_key.status == 0, with_key.stderr
    assert [(run["state"], run["late"]) for run in built.runs()] == [("success", True), ("initialized", False)]


def test_r14_a_file_with_a_clear_handle_is_still_completed(built: Job) -> None:
    kept = queue_begun(built)
    document = json.loads(kept.read_text())
    handle = QueuedHandles(built.token).unseal(document.pop("sealedHandle"), built.runs()[0]["id"])
    document["state"]["chainloopCi"]["runHandle"] = handle
    document["mediaType"] = CLEAR_MEDIA_TYPE
    kept.write_text(json.dumps(document))

    resumed = resume(built, kept)

    assert resumed.status == 0, resumed.stderr
    assert [(run["state"], run["late"]) for run in built.runs()] == [("success", False)]


def test_a_run_of_the_same_id_in_another_organization_does_not_stop_a_resume(
    built: Job, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = craft_offline(built)
    folder = tmp_path_factory.mktemp("another")
    theirs = Tenant(control_plane.url, control_plane.token_file.read_text().strip(), folder).job()
    refused = resume(theirs, Path(shutil.copy(kept, folder)))

    without_key = resume(built, kept)
    with_key = resume(built, kept, CHAINLOOP_SIGNING_KEY=str(built.key))

    assert refused.status != 0, "it is signed with no key of theirs, but the run is begun"
    assert len(theirs.runs()) == 1
    assert (without_key.status, "taken by another organization" in without_key.stderr) == (5, True), without_key.stderr
    assert with_key.status == 0, with_key.stderr
    assert [(run["state"], run["late"]) for run in built.runs()] == [("success", True)]


def test_r15_a_late_run_after_another_one_refers_to_what_was_sent_for_that(built: Job) -> None:
    adds = (("add", "--name", "binary", "--value", "app"), ("add", "--name", "version", "--value", "1"))
    for step in (("init", *NAMES), *adds):
        assert built.chainloop("attestation", *step).status == 0
    assert built.chainloop("attestation", "push", env=DOWN).status == 0
    built.tenant.call("POST", f"/workflow-runs/{built.runs()[0]['id']}/cancel", {"trigger": "cancellation"})

    resumed = resume(built, queued_file(built), CHAINLOOP_SIGNING_KEY=str(built.key))

    assert resumed.status == 0, resumed.stderr
    assert [(run["state"], run["late"]) for run in built.runs()] == [("success", True), ("canceled", False)]


def test_without_the_contract_s_file_queue_fails_and_says_what_it_needs(built: Job) -> None:
    failed = built.chainloop(*CRAFT, env=DOWN)

    assert failed.status == 6
    assert "--on-unreachable queue needs the contract's file and both names" in failed.stderr
    assert "with --on-unreachable warn the job goes on\n" in failed.stderr
    assert "with --on-unreachable queue" not in failed.stderr


def test_what_the_contract_misses_is_no_matter_of_the_control_plane(built: Job) -> None:
    failed = built.chainloop("attestation", "craft", *NAMES, "--contract", "contract.yaml", env=DOWN)

    assert failed.status == 3
    assert list(built.chainloop.folder.glob("chainloop-queued-*")) == []


def test_a_resume_that_gets_no_answer_keeps_the_file(built: Job) -> None:
    kept = craft_offline(built)

    failed = resume(built, kept, **DOWN)

    assert failed.status == 6
    assert resume(built, kept).status == 0


def test_r23_the_file_does_not_say_where_the_token_is_sent(built: Job) -> None:
    kept = craft_offline(built)
    document = json.loads(kept.read_text())
    document["state"]["chainloopCi"]["controlPlane"] = "https://evil.example"
    kept.write_text(json.dumps(document))

    resumed = resume(built, kept)

    assert resumed.status == 0, resumed.stderr


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(mediaType="text/plain"),
        lambda document: document.update(bundle="%"),
        lambda document: document["state"].pop("attestation"),
        lambda document: document.pop("contents"),
        lambda document: document.pop("sealedHandle"),
        lambda document: document["contents"][0].update(digest="sha256:../../../etc/passwd"),
    ],
)
def test_a_file_that_was_not_kept_by_us_is_refused(built: Job, change: Any) -> None:
    kept = craft_offline(built)
    document = json.loads(kept.read_text())
    change(document)
    kept.write_text(json.dumps(document))

    refused = resume(built, kept)

    assert refused.status == 1
    assert "is no attestation that `--on-unreachable queue` has kept" in refused.stderr
    assert built.runs() == []


def test_a_content_that_was_changed_on_the_way_is_refused(built: Job) -> None:
    kept = craft_offline(built)
    document = json.loads(kept.read_text())
    document["contents"][0]["content"] = "b3RoZXI="
    kept.write_text(json.dumps(document))

    refused = resume(built, kept)

    assert refused.status == 1
    assert [run["state"] for run in built.runs()] == ["initialized"]


def test_a_late_run_is_called_so_in_lists_and_by_describe(built: Job) -> None:
    resume(built, craft_offline(built))
    reader = built.reader()

    listed = reader("workflow", "run", "list")
    shown = reader("workflow", "run", "describe", "--id", built.runs()[0]["id"])

    assert "success (late)" in listed.stdout
    assert "success (late)" in shown.stdout


def outputs(job: Job) -> dict[str, str]:
    """Return what the job's CI system was told."""
    lines = (job.chainloop.folder / "report" / "outputs.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_the_ci_system_is_told_that_it_is_kept_and_where(built: Job) -> None:
    words = (*CRAFT, "--contract", "contract.yaml", "--report-dir", "report")

    crafted = built.chainloop(*words, env=DOWN)

    assert crafted.status == 0, crafted.stderr
    told = outputs(built)
    assert told["CHAINLOOP_OUTPUT_STATE"].strip('"') == "queued"
    assert told["CHAINLOOP_OUTPUT_BUNDLE_PATH"].strip('"') == queued_file(built).name
    assert "| State | `queued` |" in (built.chainloop.folder / "report" / "report.md").read_text()


def test_a_state_that_jobs_share_cannot_be_kept_where_nobody_answers(built: Job) -> None:
    failed = built.chainloop("attestation", "init", *NAMES, "--contract", "contract.yaml", "--remote-state", env=DOWN)

    assert failed.status == 6


def test_the_ci_system_hears_what_was_completed(built: Job, tmp_path: Path) -> None:
    kept = craft_offline(built)

    resumed = resume(
        built, kept, CHAINLOOP_REPORT_DIR=str(tmp_path / "told"), CHAINLOOP_BUNDLE_PATH=str(tmp_path / "bundle.json")
    )

    [run] = built.runs()
    told = dict(line.split("=", 1) for line in (tmp_path / "told" / "outputs.env").read_text().splitlines())
    assert resumed.status == 0, resumed.stderr
    assert (told["CHAINLOOP_OUTPUT_RUN_ID"], told["CHAINLOOP_OUTPUT_STATE"]) == (run["id"], "success")
    assert told["CHAINLOOP_OUTPUT_ATTESTATION_DIGEST"] == run["attestationDigest"]
    assert told["CHAINLOOP_OUTPUT_BUNDLE_PATH"] == str(tmp_path / "bundle.json")
    assert sha256_digest((tmp_path / "bundle.json").read_bytes()) == run["attestationDigest"]
    assert run["id"] in (tmp_path / "told" / "report.md").read_text()
