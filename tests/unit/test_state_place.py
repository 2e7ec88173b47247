from __future__ import annotations

import pytest

from chainloop_ci.errors import StateUnwritableError
from chainloop_ci.runners.systems.generic import GENERIC
from chainloop_ci.runners.systems.github import GITHUB_ACTION
from chainloop_ci.runners.systems.jenkins import JENKINS_JOB
from chainloop_ci.state_place import find_state_path


def test_the_runners_scratch_folder_wins_over_the_git_folder(tmp_path):
    env = {"RUNNER_TEMP": str(tmp_path)}

    found = find_state_path(env=env, runner=GITHUB_ACTION, git_dir=tmp_path / ".git", cwd=tmp_path)

    assert found == tmp_path / "chainloop" / "attestation.json"


def test_a_scratch_folder_that_does_not_exist_yet_is_used(tmp_path):
    env = {"WORKSPACE_TMP": str(tmp_path / "workspace@tmp")}

    found = find_state_path(env=env, runner=JENKINS_JOB, git_dir=None, cwd=tmp_path)

    assert found == tmp_path / "workspace@tmp" / "chainloop" / "attestation.json"


def test_a_scratch_folder_of_another_system_is_not_used(tmp_path):
    env = {"RUNNER_TEMP": str(tmp_path)}

    found = find_state_path(env=env, runner=GENERIC, git_dir=tmp_path / ".git", cwd=tmp_path)

    assert found == tmp_path / ".git" / "chainloop" / "attestation.json"


@pytest.mark.parametrize("scratch", ["relative", "/dev/null/x"])
def test_a_scratch_folder_that_cannot_be_used_is_passed_over(tmp_path, scratch):
    found = find_state_path(env={"RUNNER_TEMP": scratch}, runner=GITHUB_ACTION, git_dir=tmp_path / ".git", cwd=tmp_path)

    assert found == tmp_path / ".git" / "chainloop" / "attestation.json"


@pytest.mark.parametrize(
    ("env", "folder"),
    [
        ({"XDG_STATE_HOME": "/state", "HOME": "/home/user"}, "/state"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/home/user"}, "/home/user/.local/state"),
        ({"HOME": "/home/user"}, "/home/user/.local/state"),
    ],
)
def test_outside_of_a_checkout_each_folder_has_a_place_of_its_own(tmp_path, env, folder):
    here, there = (
        find_state_path(env=env, runner=GENERIC, git_dir=None, cwd=cwd) for cwd in (tmp_path, tmp_path.parent)
    )

    assert str(here).startswith(f"{folder}/chainloop/")
    assert here.name == "attestation.json"
    assert here != there


def test_without_any_place_the_option_is_named(tmp_path):
    with pytest.raises(StateUnwritableError, match="no place") as caught:
        find_state_path(env={}, runner=GENERIC, git_dir=None, cwd=tmp_path)

    assert "--local-state-path" in str(caught.value.hint)
