from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.model.ci_files import Change, Fires
from server.model.github_workflows import parse_github_workflow

SOURCE, DOCS = ("src/app.py",), ("docs/a.md",)


def fires(text: str, event: str = "pull_request", **facts: Any) -> Fires:
    file = parse_github_workflow(text.encode())
    assert file.fires is not None
    base = None if event == "push" else "main"
    known: dict[str, Any] = {"branch": "feature/x", "base_branch": base, "changed_paths": SOURCE}
    return file.fires(Change(event, **{**known, **facts}))


@pytest.mark.parametrize(
    "on",
    ["on: pull_request", "on: [push, pull_request]", "on:\n  pull_request:", "'on': {pull_request: {}}", "on: push"],
)
def test_each_form_of_on_is_read(on: str) -> None:
    assert fires(on) is Fires.YES


@pytest.mark.parametrize(
    "on",
    [
        "on: workflow_dispatch",
        "on:\n  schedule:\n  - cron: '0 0 * * *'",
        "on: [release, issues]",
        "on: {merge_group: }",
    ],
)
def test_other_triggers_do_not_run_on_a_pull_request(on: str) -> None:
    assert fires(on) is Fires.NO


@pytest.mark.parametrize(
    ("filters", "event", "facts", "found"),
    [
        ("branches: [main]", "pull_request", {}, Fires.YES),
        ("branches: main", "pull_request", {}, Fires.YES),
        ("branches: [release/**]", "pull_request", {}, Fires.NO),
        ("branches: ['**', '!main']", "pull_request", {}, Fires.NO),
        ("branches-ignore: [main]", "pull_request", {}, Fires.NO),
        ("branches-ignore: [dev]", "pull_request", {}, Fires.YES),
        ("paths: ['src/**']", "pull_request", {}, Fires.YES),
        ("paths: ['src/**']", "pull_request", {"changed_paths": DOCS}, Fires.NO),
        ("paths: ['**', '!docs/**']", "pull_request", {"changed_paths": DOCS}, Fires.NO),
        ("paths: ['src/**']", "pull_request", {"changed_paths": ()}, Fires.NO),
        ("paths: ['src/**']", "pull_request", {"changed_paths": None}, Fires.MAYBE),
        ("paths-ignore: ['docs/**']", "pull_request", {"changed_paths": DOCS}, Fires.NO),
        ("paths-ignore: ['docs/**']", "pull_request", {"changed_paths": DOCS + SOURCE}, Fires.YES),
        ("types: [opened, labeled]", "pull_request", {}, Fires.YES),
        ("types: [labeled]", "pull_request", {}, Fires.MAYBE),
        ("branches: [feature/*]", "push", {}, Fires.YES),
        ("branches: [main]", "push", {}, Fires.NO),
        ("tags: ['v*']", "push", {}, Fires.NO),
        ("{tags: ['v*'], branches: [feature/*]}", "push", {}, Fires.YES),
        ("{branches: [feature/*], paths: ['docs/**']}", "push", {}, Fires.NO),
        ("branches: [main]", "merge_group", {}, Fires.YES),
        ("branches: [release]", "merge_group", {}, Fires.NO),
    ],
)
def test_filters_mean_what_github_says(filters: str, event: str, facts: dict[str, Any], found: Fires) -> None:
    body = filters if filters.startswith("{") else f"{{{filters}}}"

    assert fires(f"on: {{{event}: {body}}}", event, **facts) is found


def test_the_push_to_a_pull_requests_branch_runs_on_its_head_as_well() -> None:
    assert fires("on: {push: {branches: [main]}}") is Fires.NO
    assert fires("on: {push: {branches: ['feature/**']}}") is Fires.YES


def test_the_branch_of_a_merge_queue_is_pushed_as_well() -> None:
    queue = "gh-readonly-queue/main/pr-7"

    assert fires("on: {push: {branches: ['gh-readonly-queue/**']}}", "merge_group", branch=queue) is Fires.YES


def test_whether_a_called_workflow_runs_is_not_known() -> None:
    assert fires("on: workflow_call") is Fires.MAYBE


@pytest.mark.parametrize(
    ("condition", "is_off"),
    [
        ("false", True),
        ("'false'", True),
        ("${{ false }}", True),
        ("${{ github.actor == 'x' }}", False),
        ("true", False),
        ("'!false'", False),
    ],
)
def test_a_file_whose_only_job_is_switched_off_is_off(condition: str, is_off: bool) -> None:
    file = parse_github_workflow(
        f"on: push\njobs: {{build: {{if: {condition}}}}}".encode().replace(b"{if: $", b"{if: $")
    )
    block = parse_github_workflow(f"on: push\njobs:\n  build:\n    if: {condition}\n".encode())

    assert block.is_off is is_off
    assert file.is_off is is_off or "${{" in condition


def test_a_file_with_one_job_that_can_run_is_not_off() -> None:
    assert not parse_github_workflow(b"on: push\njobs:\n  a:\n    if: false\n  b:\n    steps: []\n").is_off


@pytest.mark.parametrize(
    "text",
    [
        "on: [",
        "",
        "- on: push",
        "name: without triggers",
        "on: 7\nx: {{",
        "on: {push: {paths: [a], paths-ignore: [b]}}",
        "on: {push: {branches: {main: true}}}",
        "on: {push: {branches: [[a]]}}",
        "on: !!python/name:os.system push",
        "on: push\non: pull_request",
    ],
)
def test_of_a_file_that_cannot_be_read_for_sure_nothing_is_known(text: str) -> None:
    file = parse_github_workflow(text.encode())

    assert (file.fires, file.has_trigger, file.is_off) == (None, None, False)


def test_the_triggers_of_a_file_can_be_asked_for() -> None:
    file = parse_github_workflow(b"on: [push, pull_request]")

    assert file.has_trigger is not None
    assert [file.has_trigger(event) for event in ("push", "merge_group")] == [True, False]


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_make_the_parser_fail(raw: bytes) -> None:
    assert parse_github_workflow(raw).exists
