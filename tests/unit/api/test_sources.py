"""What a source must obey beyond its schema."""

from __future__ import annotations

import pytest

from chainloop_ci.api.sources import SourceRequest, check_source, ci_file_of

CI = ".github/workflows/ci.yml"


@pytest.mark.parametrize(
    "request_",
    [
        SourceRequest("github:acme/app", CI),
        SourceRequest("github:acme/app", ".github/workflows/release.yaml", paths=("src/**", "!src/docs/**")),
        SourceRequest("gitlab:acme/app"),
        SourceRequest("gitlab:acme/app", "ci/main.yml@other/project"),
        SourceRequest("jenkins:https://ci.corp/job/app"),
    ],
)
def test_a_good_source_has_no_findings(request_):
    assert check_source(request_) == []


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (SourceRequest("acme/app", CI), "/source"),
        (SourceRequest("github:acme/app"), "/ciFile"),
        (SourceRequest("github:acme/app", ".github/workflows/sub/ci.yml"), "/ciFile"),
        (SourceRequest("github:acme/app", "../.github/workflows/ci.yml"), "/ciFile"),
        (SourceRequest("github:acme/app", CI + "\n"), "/ciFile"),
        (SourceRequest("gitlab:acme/app", "/etc/passwd"), "/ciFile"),
        (SourceRequest("gitlab:acme/app", "ci/../../x.yml"), "/ciFile"),
        (SourceRequest("github:acme/app", CI, paths=("src/**", "/src/**")), "/paths/1"),
        (SourceRequest("github:acme/app", CI, paths=("!/src",)), "/paths/0"),
        (SourceRequest("github:acme/app", CI, paths=("",)), "/paths/0"),
        (SourceRequest("github:acme/app", CI, paths=("a" * 256,)), "/paths/0"),
    ],
)
def test_everything_else_is_found_at_its_field(request_, path):
    [finding] = check_source(request_)

    assert finding.path == path


def test_all_findings_come_at_once():
    found = check_source(SourceRequest("github:acme/app", "ci.yml", paths=("/a", "/b")))

    assert [finding.path for finding in found] == ["/ciFile", "/paths/0", "/paths/1"]
    assert found[0].hint == f"did you mean {CI}?"


@pytest.mark.parametrize(
    ("source", "file"),
    [("gitlab:acme/app", ".gitlab-ci.yml"), ("jenkins:https://ci/job/a", "Jenkinsfile"), ("github:acme/app", "")],
)
def test_the_usual_ci_file_needs_no_name(source, file):
    assert ci_file_of(SourceRequest(source)) == file
