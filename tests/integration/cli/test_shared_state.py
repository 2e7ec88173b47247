"""Many jobs, one attestation: its state is on the control plane, and jobs that share no folder craft it together."""

from __future__ import annotations

import json

import pytest

from chainloop_ci.client.sealing import unseal_handle
from tests.integration.cutting_proxy import cutting_proxy
from tests.integration.live import CONTRACT, IMPATIENT
from tests.integration.pipeline import MATERIALS, TWENTY, Pipeline


@pytest.fixture
def pipeline(job, tmp_path) -> Pipeline:
    return Pipeline(job, tmp_path)


def test_jobs_that_share_no_folder_craft_one_attestation(pipeline):
    pipeline.begin()

    added = [pipeline.add("binary", "a program"), pipeline.add("version", "1.0")]
    pushed = pipeline.push()

    assert [answer.status for answer in (*added, pushed)] == [0, 0, 0], [answer.stderr for answer in (*added, pushed)]
    detail = pipeline.detail()
    assert detail["run"]["state"] == "success"
    assert detail["run"]["stateLocation"] == "shared"
    assert sorted(item["name"] for item in detail["materials"]) == ["binary", "version"]


def test_the_last_job_ends_the_run_as_the_others_have_ended(pipeline):
    pipeline.begin()

    pushed = pipeline.machine()("attestation", "push", "--job-status", "failure")

    assert pushed.status == 0, pushed.stderr
    assert [(run["state"], run["reason"]) for run in pipeline.job.runs()] == [("error", "the job failed")]


def test_no_job_leaves_a_state_file(pipeline):
    pipeline.begin()
    pipeline.add("version", "1.0")

    assert not list(pipeline.job.tenant.folder.rglob("attestation.json*"))


def test_status_in_another_job_shows_what_all_have_added(pipeline):
    pipeline.begin()
    pipeline.add("version", "1.0")

    status = pipeline.machine()("attestation", "status", "-o", "json")

    assert status.status == 0, status.stderr
    assert [item["name"] for item in status.document["materials"] if item["Set"]] == ["version"]


def test_status_says_when_the_run_has_ended_and_opens_no_successor(pipeline):
    pipeline.begin()
    pipeline.machine()("attestation", "reset")

    status = pipeline.machine(attempt=2)("attestation", "status")

    assert status.status == 0, status.stderr
    assert "the run of this attestation has ended" in status.stderr
    assert len(pipeline.job.runs()) == 1


def test_with_the_variable_of_init_for_the_whole_job_the_words_say_what_is_missing(pipeline):
    add = ("attestation", "add", "--name", "version", "--value", "1.0")

    answer = pipeline.machine()(*add, env={"CHAINLOOP_REMOTE_STATE": "true"})

    assert answer.status == 1
    assert "--attestation-id (CHAINLOOP_ATTESTATION_ID) is missing" in answer.stderr


def test_where_no_attestation_was_begun_for_want_of_an_answer_the_other_jobs_warn(pipeline):
    nobody = {"CHAINLOOP_CONTROL_PLANE_API": "http://127.0.0.1:9"}
    policy = {"CHAINLOOP_REMOTE_STATE": "true", "CHAINLOOP_ON_UNREACHABLE": "warn"}
    words = (("init",), ("add", "--name", "version", "--value", "1.0"), ("push",))

    answers = [pipeline.machine()("attestation", *step, env={**nobody, **policy}) for step in words]

    assert [answer.status for answer in answers] == [0, 0, 0], [answer.stderr for answer in answers]
    assert all("nothing is attested by this step" in answer.stderr for answer in answers)


def test_r35_a_job_without_secrets_checks_its_own_materials_whatever_is_shared(pipeline):
    machine = pipeline.machine()
    contract = machine.folder / "contract.yaml"
    contract.write_text(CONTRACT)
    machine.env |= {"CHAINLOOP_TOKEN": "", "CHAINLOOP_REMOTE_STATE": "true", "CHAINLOOP_CONTRACT": str(contract)}
    machine.env |= {"GITHUB_ACTOR": "dependabot[bot]", "CHAINLOOP_ATTESTATION_ID": "", "CHAINLOOP_SEALED_HANDLE": ""}

    begun = machine("attestation", "init")
    added = machine("attestation", "add", "--name", "version", "--value", "1.0")

    assert (begun.status, added.status) == (0, 0), begun.stderr + added.stderr
    assert "material added to attestation" in added.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--attestation-id", "7"), "expected the id of a workflow run"),
        (("--sealed-handle", "x"), "give --attestation-id"),
        (
            ("--attestation-id", "5f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a11", "--local-state-path", "f"),
            "either in a file or",
        ),
    ],
)
def test_options_that_do_not_say_which_attestation_is_meant_are_refused(pipeline, words, expected):
    answer = pipeline.machine()("attestation", "status", *words)

    assert answer.status == 2
    assert expected in answer.stderr


@pytest.mark.parametrize(("status", "state"), [("failed", "error"), ("canceled", "canceled")])
def test_a_last_job_ends_what_another_one_began_as_the_jobs_have_ended(pipeline, status, state):
    pipeline.begin()
    pipeline.add("version", "1.0")

    ended = pipeline.machine()("attestation", "push", "--job-status", status)

    assert ended.status == 0, ended.stderr
    assert [run["state"] for run in pipeline.job.runs()] == [state]


def test_describe_shows_which_run_goes_on_with_which(pipeline):
    pipeline.begin()
    pipeline.machine()("attestation", "reset")
    pipeline.add("version", "1.0", attempt=2)
    first, second = (run["id"] for run in reversed(pipeline.job.runs()))
    reader = pipeline.job.reader()

    shown = [reader("workflow", "run", "describe", "--id", run_id).stdout for run_id in (first, second)]

    assert f"Gone On With By {second}" in " ".join(shown[0].replace("│", " ").split())
    assert f"Goes On With {first}" in " ".join(shown[1].replace("│", " ").split())


def test_a_material_is_removed_and_the_attestation_is_reset_in_other_jobs(pipeline):
    pipeline.begin()
    pipeline.add("version", "1.0")

    removed = pipeline.machine()("attestation", "remove", "--name", "version")
    reset = pipeline.machine()("attestation", "reset", "--trigger", "cancellation")

    assert (removed.status, reset.status) == (0, 0), removed.stderr + reset.stderr
    assert pipeline.detail()["run"]["state"] == "canceled"


def test_twenty_jobs_at_once_lose_no_material(tenant, tmp_path):
    pipeline = Pipeline(tenant.job(TWENTY), tmp_path)
    pipeline.begin()

    added = pipeline.add_at_once()
    pushed = pipeline.push()

    assert [answer.stderr for answer in (*added, pushed) if answer.status] == []
    names = {item["name"] for item in pipeline.detail()["materials"]}
    assert names == {f"leg-{number}" for number in range(MATERIALS)}


@pytest.mark.parametrize("path", ["/state", "/successor", "/attestation"])
def test_a_lost_answer_neither_loses_nor_doubles_anything(pipeline, control_plane, path):
    pipeline.begin()
    pipeline.add("binary", "a program")
    pipeline.add("version", "1.0")
    if path == "/successor":
        pipeline.machine()("attestation", "reset")
    marker = f"{pipeline.shared['CHAINLOOP_ATTESTATION_ID']}{path} HTTP".encode()

    with cutting_proxy(control_plane.port, marker, cuts=2) as proxy:
        through = {"CHAINLOOP_CONTROL_PLANE_API": proxy.url}
        push = ("attestation", "push", "-o", "json")
        pushed = pipeline.machine(attempt=2)(*push, env=through)

    assert proxy.cut == 2
    assert pushed.status == 0, pushed.stderr
    assert len(pipeline.job.runs()) == (2 if path == "/successor" else 1)
    detail = pipeline.detail(pushed.document["attestationID"])
    assert sorted(item["name"] for item in detail["materials"]) == ["binary", "version"]


def test_a_push_that_is_repeated_on_another_machine_gets_the_same_answer(pipeline):
    pipeline.begin()
    pipeline.add("binary", "a program")
    pipeline.add("version", "1.0")

    first, again = pipeline.push(), pipeline.push()

    assert (first.status, again.status) == (0, 0), again.stderr
    assert first.document["digest"] == again.document["digest"]


def test_r15_after_the_push_nothing_is_added_and_the_words_say_what_opens_a_successor(pipeline):
    pipeline.begin()
    pipeline.add("binary", "a program")
    pipeline.add("version", "1.0")
    pipeline.push()

    late = pipeline.add("version", "1.1", "--replace")

    assert late.status == 1
    assert "ended as success" in late.stderr
    assert "re-run the failed jobs of CI run 77" in late.stderr


def test_r14_another_runs_handle_changes_nothing(pipeline):
    pipeline.begin()
    mine = pipeline.shared
    pipeline.shared = {}
    pipeline.begin()
    pipeline.shared = {**mine, "CHAINLOOP_SEALED_HANDLE": pipeline.shared["CHAINLOOP_SEALED_HANDLE"]}

    answers = [
        pipeline.add("version", "1.0"),
        pipeline.push(),
        pipeline.machine()("attestation", "reset"),
        pipeline.machine()("attestation", "status"),
    ]

    assert [answer.status for answer in answers] == [5] * 4, [answer.stderr for answer in answers]
    assert all("run handle" in answer.stderr for answer in answers)
    assert pipeline.detail()["run"]["state"] == "initialized"


def test_r14_the_sealed_handle_opens_with_the_token_that_sealed_it_only(pipeline):
    pipeline.begin()
    other = pipeline.job.tenant.token("attest", project="hello", workflow="build")

    answer = pipeline.machine()("attestation", "add", "--name", "version", "--value", "1.0", "--token", other)

    assert answer.status == 5
    assert "does not open with this token" in answer.stderr


def test_r14_without_the_sealed_handle_the_words_say_what_to_pass(pipeline):
    pipeline.begin()
    del pipeline.shared["CHAINLOOP_SEALED_HANDLE"]

    for answer in (pipeline.add("version", "1.0"), pipeline.push()):
        assert answer.status == 2
        assert "--sealed-handle (CHAINLOOP_SEALED_HANDLE) is missing" in answer.stderr


def test_r14_the_handle_itself_is_printed_nowhere(pipeline):
    begun = pipeline.begin()
    added = pipeline.add("version", "1.0", "--debug")
    table = pipeline.machine()("attestation", "init", "--remote-state", "--debug", env={"CHAINLOOP_ATTESTATION_ID": ""})

    handle = unseal_handle(begun.document["sealedHandle"], pipeline.job.token)
    assert len(handle) >= 43
    said = [line for answer in (begun, added, table) for line in (answer.stdout + answer.stderr).splitlines()]
    # GitHub is told what to hide, and does not show that line itself.
    assert handle not in "".join(line for line in said if not line.startswith("::add-mask::"))
    assert handle not in json.dumps(pipeline.detail())


def test_r16_one_leg_and_the_push_run_again_make_a_successor_with_the_other_legs_materials(pipeline):
    pipeline.begin()
    pipeline.add("binary", "a program")
    pipeline.add("version", "1.0")
    pipeline.push()

    leg = pipeline.add("binary", "the program, built again", attempt=2)
    pushed = pipeline.push(attempt=2)

    assert (leg.status, pushed.status) == (0, 0), leg.stderr + pushed.stderr
    first = pipeline.detail()
    second = pipeline.detail(first["successor"])
    assert (first["run"]["state"], second["run"]["state"]) == ("success", "success")
    assert second["run"]["successorOf"] == first["run"]["id"]
    materials = {item["name"]: item for item in second["materials"]}
    assert materials["version"]["value"] == "1.0"
    assert materials["binary"]["digest"] != {item["name"]: item for item in first["materials"]}["binary"]["digest"]
    assert "chainloop.material.replaces" in json.dumps(materials["binary"]["annotations"])
    assert pushed.document["attestationID"] == second["run"]["id"]


def test_r16_an_attempt_that_failed_before_its_push_goes_on_with_the_same_run(pipeline):
    pipeline.begin()
    pipeline.add("binary", "a program")

    again = pipeline.add("binary", "another program", attempt=2)
    version = pipeline.add("version", "1.0", attempt=2)
    pushed = pipeline.push(attempt=2)

    assert [answer.status for answer in (again, version, pushed)] == [0, 0, 0], again.stderr
    assert pushed.document["attestationID"] == pipeline.shared["CHAINLOOP_ATTESTATION_ID"]


def test_r16_within_one_attempt_other_content_still_needs_replace(pipeline):
    pipeline.begin()
    pipeline.add("binary", "a program")

    conflict = pipeline.add("binary", "another program")

    assert conflict.status == 1
    assert "--replace" in conflict.stderr


def test_r16_legs_of_one_attempt_that_run_at_once_meet_in_one_successor(tenant, tmp_path):
    pipeline = Pipeline(tenant.job(TWENTY), tmp_path)
    pipeline.begin()
    pipeline.machine()("attestation", "reset")

    added = pipeline.add_at_once(attempt=2)
    pushed = pipeline.push(attempt=2)

    assert [answer.stderr for answer in (*added, pushed) if answer.status] == []
    assert len(pipeline.job.runs()) == 2
    assert len(pipeline.detail(pipeline.detail()["successor"])["materials"]) == MATERIALS


def test_r16_another_ci_run_cannot_go_on_with_an_ended_one(pipeline):
    pipeline.begin()
    pipeline.machine()("attestation", "reset")

    answer = pipeline.machine(attempt=2, run_id="78")("attestation", "add", "--name", "version", "--value", "1.0")

    assert answer.status == 1
    assert "ended as error" in answer.stderr
    assert len(pipeline.job.runs()) == 1


def test_two_attestations_in_one_job_never_meet(pipeline):
    machine = pipeline.machine()
    local = {"CHAINLOOP_LOCAL_STATE_PATH": str(machine.folder / "one.json")}
    machine("attestation", "init", env=local)
    shared = [machine("attestation", "init", "--remote-state", "-o", "json").document for _ in range(2)]
    places = [
        local,
        *(
            {"CHAINLOOP_ATTESTATION_ID": found["attestationID"], "CHAINLOOP_SEALED_HANDLE": found["sealedHandle"]}
            for found in shared
        ),
    ]
    (machine.folder / "app").write_text("a program")

    for number, place in enumerate(places):
        for name, value in (("version", f"1.{number}"), ("binary", "app")):
            assert machine("attestation", "add", "--name", name, "--value", value, env=place).status == 0
    pushed = [machine("attestation", "push", "-o", "json", env=place) for place in places]

    assert [answer.status for answer in pushed] == [0, 0, 0], [answer.stderr for answer in pushed]
    for number, answer in enumerate(pushed):
        materials = pipeline.detail(answer.document["attestationID"])["materials"]
        assert [item["value"] for item in materials if item["name"] == "version"] == [f"1.{number}"]


def test_who_begins_and_ends_a_shared_attestation_leaves_what_the_job_has_kept_of_its_own(pipeline):
    machine = pipeline.machine()
    local = {"CHAINLOOP_LOCAL_STATE_PATH": str(machine.folder / "one.json")}
    down = {"CHAINLOOP_CONTROL_PLANE_API": "http://127.0.0.1:9", "CHAINLOOP_ON_UNREACHABLE": "queue", **IMPATIENT}
    (machine.folder / "app").write_text("a program")
    begun = machine("attestation", "init", env=local)
    kept = machine("attestation", "add", "--name", "binary", "--value", "app", env={**local, **down})
    contents = list(machine.folder.glob("one.json.contents/*"))
    shared = machine("attestation", "init", "--remote-state", "-o", "json", env=local).document
    names = {"CHAINLOOP_ATTESTATION_ID": shared["attestationID"], "CHAINLOOP_SEALED_HANDLE": shared["sealedHandle"]}

    ended = machine("attestation", "reset", env={**local, **names})

    assert (begun.status, kept.status, ended.status) == (0, 0, 0), kept.stderr + ended.stderr
    assert len(contents) == 1
    assert list(machine.folder.glob("one.json.contents/*")) == contents


def test_the_stale_state_of_an_earlier_job_is_replaced_with_a_notice(pipeline, tmp_path):
    place = {"CHAINLOOP_LOCAL_STATE_PATH": str(tmp_path / "left-behind.json")}
    pipeline.machine()("attestation", "init", env=place)

    second = pipeline.machine()("attestation", "init", "-o", "json", env=place)

    assert second.status == 0, second.stderr
    assert "the state of another job was replaced" in second.stderr
    assert second.document["attestationID"] == pipeline.job.runs()[0]["id"]


def test_a_dry_run_cannot_be_shared(pipeline):
    answer = pipeline.machine()("attestation", "init", "--remote-state", "--dry-run")

    assert answer.status == 2
    assert "a dry run has no shared state" in answer.stderr


def test_a_step_that_crafts_everything_can_keep_its_state_on_the_control_plane(pipeline):
    machine = pipeline.machine()
    (machine.folder / "app").write_text("a program")

    answer = machine(
        "attestation", "craft", "--remote-state", "--material", "binary=app", "--material", "version=1.0", "-o", "json"
    )

    assert answer.status == 0, answer.stderr
    assert pipeline.detail(answer.document["attestationID"])["run"]["stateLocation"] == "shared"
