from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.model.ci_files import Change, Fires
from server.model.gitlab_pipelines import parse_gitlab_pipeline

SOURCE, DOCS = ("src/app.py",), ("docs/a.md",)
JOB = "build: {script: make"
ONLY_REQUESTS = "workflow: {rules: [{if: $CI_PIPELINE_SOURCE == 'merge_request_event'}]}\n"


def fires(text: str, event: str = "pull_request", **facts: Any) -> Fires:
    file = parse_gitlab_pipeline(text.encode())
    assert file.fires is not None
    base = None if event == "push" else "main"
    known: dict[str, Any] = {
        "branch": "feature", "base_branch": base, "default_branch": "main", "changed_paths": SOURCE,
    }  # fmt: skip
    return file.fires(Change(event, **{**known, **facts}))


@pytest.mark.parametrize(
    ("text", "event", "facts", "found"),
    [
        (JOB + "}", "push", {}, Fires.YES),
        # A merge request's head was pushed to its branch.
        (JOB + "}", "pull_request", {}, Fires.YES),
        (JOB + ", when: never}", "push", {}, Fires.NO),
        (ONLY_REQUESTS + JOB + ", rules: [{when: always}]}", "pull_request", {}, Fires.YES),
        (ONLY_REQUESTS + JOB + ", rules: [{when: always}]}", "push", {}, Fires.NO),
        # Without rules a job is not part of a merge request's pipeline.
        (ONLY_REQUESTS + JOB + "}", "pull_request", {}, Fires.NO),
        (JOB + ", rules: [{changes: ['src/**/*']}]}", "pull_request", {}, Fires.YES),
        (JOB + ", rules: [{changes: ['src/**/*']}]}", "pull_request", {"changed_paths": DOCS}, Fires.NO),
        (JOB + ", rules: [{changes: {paths: ['src/**/*']}}]}", "pull_request", {"changed_paths": DOCS}, Fires.NO),
        (
            JOB + ", rules: [{changes: {paths: [src/*], compare_to: main}}]}",
            "pull_request",
            {"changed_paths": DOCS},
            Fires.MAYBE,
        ),
        (JOB + ", rules: [{changes: [src/*]}]}", "push", {"changed_paths": DOCS, "is_branch_new": True}, Fires.YES),
        # The whole change of a merge request counts, also when its branch is new.
        (
            JOB + ", rules: [{changes: [src/*]}]}",
            "pull_request",
            {"changed_paths": DOCS, "is_branch_new": True},
            Fires.NO,
        ),
        (JOB + ", rules: [{changes: [src/*]}]}", "push", {"changed_paths": None}, Fires.MAYBE),
        (JOB + ", rules: [{changes: ['$DIR/*']}]}", "push", {}, Fires.MAYBE),
        (JOB + ", rules: [{exists: [Dockerfile]}]}", "push", {}, Fires.MAYBE),
        (JOB + ", rules: [{if: $DEPLOY}]}", "push", {}, Fires.MAYBE),
        (JOB + ", rules: [{if: $DEPLOY}, {when: on_success}]}", "push", {}, Fires.YES),
        (JOB + ", rules: [{if: $DEPLOY, when: never}, {when: on_success}]}", "push", {}, Fires.MAYBE),
        (JOB + ", rules: [{if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH}]}", "push", {}, Fires.NO),
        (JOB + ", rules: [{if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH}]}", "push", {"branch": "main"}, Fires.YES),
        (JOB + ", only: [main]}", "push", {}, Fires.NO),
        (JOB + ", only: [main]}", "push", {"branch": "main"}, Fires.YES),
        (JOB + ", only: [merge_requests]}", "pull_request", {}, Fires.YES),
        (JOB + ", except: [branches]}", "push", {}, Fires.NO),
        (JOB + ", only: ['/^feat/']}", "push", {}, Fires.MAYBE),
        (JOB + ", only: {changes: [src/*]}}", "push", {}, Fires.MAYBE),
        (JOB + ", extends: .base}", "push", {}, Fires.MAYBE),
        ("include: other.yml", "push", {}, Fires.MAYBE),
        (".hidden: {script: make}", "push", {}, Fires.NO),
    ],
)
def test_a_pipeline_runs_does_not_or_cannot_be_known(
    text: str, event: str, facts: dict[str, Any], found: Fires
) -> None:
    assert fires(text, event, **facts) is found


@pytest.mark.parametrize(
    ("text", "is_off"),
    [
        (JOB + ", when: never}", True),
        (JOB + ", rules: [{when: never}]}", True),
        (JOB + ", rules: [{if: $A, when: never}, {when: always}]}", False),
        (JOB + ", extends: .base, rules: [{when: never}]}", False),
        (JOB + "}", False),
        (JOB + ", when: never}\ninclude: other.yml", False),
    ],
)
def test_a_file_none_of_whose_jobs_can_ever_run_is_off(text: str, is_off: bool) -> None:
    assert parse_gitlab_pipeline(text.encode()).is_off is is_off


def test_of_a_file_with_references_nothing_is_known() -> None:
    assert parse_gitlab_pipeline(b"build:\n  script: !reference [.setup, script]\n").fires is None


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_make_the_parser_fail(raw: bytes) -> None:
    file = parse_gitlab_pipeline(raw)

    assert file.fires is None or file.fires(Change("push", "main")) in Fires
