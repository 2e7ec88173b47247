"""The project's own self-test workflow, the Linux legs of it, in act."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import PROJECT
from tests.family.act import Repository, copy_action

SELFTEST = PROJECT / ".github" / "workflows" / "selftest.yml"
JOBS = tuple(yaml.safe_load(SELFTEST.read_text(encoding="utf-8"))["jobs"])


@pytest.fixture
def repository(tmp_path: Path, kept: Path, wheels: Path) -> Repository:
    """Return the project's own repository, as far as its self-test needs it."""
    made = Repository(tmp_path / "repository", kept)
    copy_action(made.folder)
    made.env["CHAINLOOP_INSTALL_WHEELS"] = str(wheels)
    for name in ("README.md", "examples/contracts/selftest.yaml"):
        target = made.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / name, target)
    made.commit(build=SELFTEST.read_text(encoding="utf-8"))
    return made


@pytest.mark.real("act")
@pytest.mark.parametrize("name", JOBS)
def test_a_job_of_the_self_test_does_what_its_name_says(repository: Repository, name: str) -> None:
    run = repository.run(options=("-j", name, "--matrix", "os:ubuntu-latest"))

    assert run.status == 0, run.everything
    assert run.steps[-1].result == "success"
    assert len(run.steps) >= 3


def test_every_job_of_the_self_test_is_named_for_one_behaviour() -> None:
    assert all(re.fullmatch(r"selftest-(xfail-)?[a-z-]+", name) for name in JOBS)


def test_every_job_of_the_self_test_runs_on_three_systems() -> None:
    jobs = yaml.safe_load(SELFTEST.read_text(encoding="utf-8"))["jobs"]

    for job in jobs.values():
        assert job["strategy"]["matrix"]["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
