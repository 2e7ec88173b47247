"""`--on-unreachable` with a control plane that is down: for the whole job, or from some step on."""

from __future__ import annotations

import pytest

from tests.integration.live import IMPATIENT, Answer, Job

NOBODY = "http://127.0.0.1:1"
NAMES = ("--project", "hello", "--workflow", "build")
CRAFT = ("attestation", "craft", *NAMES, "--material", "binary=app", "--material", "version=1.2.3")
STEPS = (
    ("init", *NAMES),
    ("add", "--name", "binary", "--value", "app"),
    ("add", "--name", "version", "--value", "1.2.3"),
    ("status",),
    ("push",),
    ("reset",),
)


@pytest.fixture
def built(job: Job) -> Job:
    """Return a job that has built something."""
    (job.chainloop.folder / "app").write_bytes(b"the build")
    return job


def down(job: Job, *words: str, policy: str = "") -> Answer:
    """Run a command while the control plane is down."""
    policies = {"CHAINLOOP_ON_UNREACHABLE": policy} if policy else {}
    return job.chainloop(*words, env={"CHAINLOOP_CONTROL_PLANE_API": NOBODY, **IMPATIENT, **policies})


@pytest.mark.parametrize("policy", ["", "fail"])
def test_fail_says_what_exit_code_6_means(built: Job, policy: str) -> None:
    failed = down(built, *CRAFT, policy=policy)

    assert failed.status == 6
    assert "exit code 6 says that the control plane gave no answer" in failed.stderr
    assert "--on-unreachable warn" in failed.stderr


def test_warn_is_green_with_a_warning(built: Job) -> None:
    crafted = down(built, *CRAFT, "--on-unreachable", "warn")

    assert crafted.status == 0, crafted.stderr
    assert f"WRN {NOBODY} cannot be reached" in crafted.stderr
    assert "ERR" not in crafted.stderr


def test_with_warn_every_step_of_the_job_is_green(built: Job) -> None:
    ended = [down(built, "attestation", *step, policy="warn") for step in STEPS]

    assert [answer.status for answer in ended] == [0] * len(STEPS), [answer.stderr for answer in ended]
    assert all("WRN" in answer.stderr for answer in ended)


def test_with_warn_a_job_that_lost_the_control_plane_on_the_way_is_green(built: Job) -> None:
    built.chainloop("attestation", "init", *NAMES)

    lost = down(built, "attestation", "add", "--name", "binary", "--value", "app", policy="warn")
    pushed = built.chainloop("attestation", "push", env={"CHAINLOOP_ON_UNREACHABLE": "warn"})

    assert (lost.status, pushed.status) == (0, 0), pushed.stderr
    assert "the material binary (ARTIFACT) is required and was not added" in pushed.stderr


def test_warn_forgives_nothing_that_is_no_matter_of_the_control_plane(built: Job) -> None:
    warn = {"CHAINLOOP_ON_UNREACHABLE": "warn"}

    without_init = built.chainloop("attestation", "push", env=warn)
    incomplete = built.chainloop("attestation", "craft", *NAMES, env=warn)
    image = built.chainloop("attestation", "init", *NAMES).status or built.chainloop(
        "attestation", "add", "--name", "image", "--kind", "CONTAINER_IMAGE", "--value", "127.0.0.1:1/app:1", env=warn
    )

    assert (without_init.status, incomplete.status) == (1, 3)
    assert isinstance(image, Answer)
    assert image.status == 6
    assert "exit code 6 says that the control plane" not in image.stderr


def test_another_job_is_not_forgiven_what_one_before_it_could_not_do(built: Job) -> None:
    github = {"GITHUB_REPOSITORY": "acme/app", "CHAINLOOP_ON_UNREACHABLE": "warn"}
    first = {**github, "CHAINLOOP_CONTROL_PLANE_API": NOBODY, "GITHUB_RUN_ID": "1", **IMPATIENT}
    assert built.chainloop("attestation", "init", *NAMES, env=first).status == 0

    pushed = built.chainloop("attestation", "push", env={**github, "GITHUB_RUN_ID": "2"})

    assert pushed.status == 1


def test_another_word_is_refused(built: Job) -> None:
    refused = down(built, *CRAFT, policy="shrug")

    assert refused.status == 2
    assert "expected one of fail, warn, queue, found 'shrug'" in refused.stderr
