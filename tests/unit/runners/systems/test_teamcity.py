"""TeamCity: builds are known by their address. The variables stand in `environments.teamcity`."""

from __future__ import annotations

import pytest

from chainloop_ci.runners.registry import resolve_variables
from chainloop_ci.runners.systems.teamcity import TEAMCITY_PIPELINE
from chainloop_ci.runners.types import CiIdentity
from tests.unit.runners.environments import HEAD, teamcity


def test_the_identity_of_a_build():
    assert TEAMCITY_PIPELINE.ci(teamcity().facts) == CiIdentity(
        provider="teamcity",
        server_url="https://teamcity.test",
        run_id="4711",
        job="Acme API / Build",
        runner_name="agent-1",
        head_sha=HEAD,
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {"BUILD_URL": "https://ci.test/teamcity/viewLog.html?buildTypeId=Acme_Api&buildId=4712"},
            {"server_url": "https://ci.test/teamcity", "run_id": "4712"},
            id="address-before-2022",
        ),
        pytest.param(
            {"BUILD_URL": "https://teamcity.test/build/4712?mode=builds"},
            {"server_url": "https://teamcity.test", "run_id": "4712"},
            id="short-address",
        ),
        pytest.param(
            {"BUILD_URL": "https://teamcity.test/buildConfiguration/Acme_Api_Build/4712"},
            {"run_id": "4712"},
            id="re-run",
        ),
        pytest.param({"BUILD_URL": None}, {"server_url": None, "run_id": "31"}, id="server-before-2023.09"),
        pytest.param(
            {"BUILD_URL": "https://teamcity.test/project/Acme"}, {"server_url": None, "run_id": "31"}, id="odd"
        ),
        pytest.param({"BUILD_VCS_NUMBER": "31337"}, {"head_sha": None}, id="subversion"),
        pytest.param({"BUILD_VCS_NUMBER": None}, {"head_sha": None}, id="several-roots"),
        pytest.param({"TEAMCITY_BUILDCONF_NAME": None}, {"job": "Acme API"}, id="no-configuration"),
    ],
)
def test_what_a_job_says_of_itself(changes, expected):
    found = TEAMCITY_PIPELINE.ci(teamcity().change(**changes))

    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://teamcity.test/build/1", "https://teamcity.test/build/1"),
        ("%env.BUILD_URL%", None),
        ("javascript:alert(1)", None),
        (None, None),
    ],
)
def test_the_run_url_is_that_of_the_build(url, expected):
    assert TEAMCITY_PIPELINE.run_url(teamcity().change(BUILD_URL=url)) == expected


def test_a_build_of_an_older_server_has_all_that_is_required():
    found, _ = resolve_variables(TEAMCITY_PIPELINE, teamcity().change(BUILD_URL=None), ())

    assert "BUILD_URL" not in found


def test_a_tool_that_is_told_to_report_as_in_teamcity_is_no_teamcity_build():
    assert not TEAMCITY_PIPELINE.detect(teamcity().change(TEAMCITY_PROJECT_NAME=None))
