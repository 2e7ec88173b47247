"""`chainloop workflow source`, and the options that say where a workflow's code lives."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.cli.answers import RUN, WORKFLOW, page, problem, reply, workflow
from tests.unit.stub_server import Reply

CI = ".github/workflows/ci.yml"
NONE = problem(404, "not-found", "it has no source")


def source(**more: Any) -> dict[str, Any]:
    """Return a workflow's source."""
    return {
        "workflowId": WORKFLOW, "source": "github:acme/app", "kind": "github", "host": "https://github.com",
        "repository": "acme/app", "state": "accepted", "sourceId": RUN, "ciFile": CI, "branch": "main",
        "paths": ["src/**"], "cadenceSeconds": 86400, "graceSeconds": 1800, **more,
    }  # fmt: skip


def claimed(**more: Any) -> dict[str, Any]:
    """Return a source that a run claimed."""
    return {
        "workflowId": WORKFLOW, "source": "github:acme/app", "kind": "github", "host": "https://github.com",
        "repository": "acme/app", "state": "claimed", "ciFile": CI, "runId": RUN, "paths": [], "graceSeconds": 1800,
        **more,
    }  # fmt: skip


def sent(stub: Any, at: int = -1) -> Any:
    """Return the body of a request."""
    return json.loads(stub.seen[at].body)


def test_create_sends_the_source_with_the_workflow(operate, stub) -> None:
    stub.replies = [reply(workflow(), 201)]

    result = operate(
        "workflow", "create", "--name", "release", "--project", "bedrock", "--contract", "release",
        "--source", "github:acme/app", "--ci-file", CI, "--branch", "main", "--event", "push",
        "--path", "src/**", "--path", "go.mod", "--cadence", "1d", "--grace", "1h",
    )  # fmt: skip

    assert result.status == 0, result.err
    assert sent(stub)["source"] == {
        "source": "github:acme/app", "ciFile": CI, "branch": "main", "event": "push", "paths": ["src/**", "go.mod"],
        "cadenceSeconds": 86400, "graceSeconds": 3600,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--source", "acme/app"], "--source: expected a source that begins with github:"),
        (["--source", "github:acme/app"], "--ci-file: a workflow of GitHub is a file like"),
        (["--source", "github:acme/app", "--ci-file", CI, "--path", "/src"], "--path: expected a pattern of paths"),
        (["--source", "gitlab:acme/app", "--cadence", "1s"], "--cadence: expected 15m to 366d, found '1s'"),
        (["--source", "gitlab:acme/app", "--grace", "soon"], "--grace: expected a duration"),
        (["--ci-file", CI], "these options describe a source, and the workflow has none"),
    ],
)
def test_a_source_that_cannot_be_is_refused_before_anything_is_sent(operate, stub, words, said) -> None:
    result = operate("workflow", "create", "--name", "release", "--project", "bedrock", *words)

    assert result.status == 2
    assert said in result.err
    assert stub.seen == []


def test_skip_if_exists_does_not_hide_that_the_source_was_refused(operate, stub) -> None:
    stub.replies = [problem(409, "conflict", "statuses are posted for somebody else"), page()]

    result = operate(
        "workflow", "create", "--name", "new", "--project", "p", "--source", "gitlab:a/b", "--skip-if-exists"
    )

    assert (result.status, "posted for somebody else" in result.err) == (1, True)


def test_update_changes_what_was_typed_and_keeps_the_rest_of_the_source(operate, stub) -> None:
    stub.replies = [page(workflow()), reply(source()), reply(source())]

    result = operate("workflow", "update", "release", "--branch", "", "--cadence", "0s", "--grace", "2h")

    assert result.status == 0, result.err
    assert stub.seen[-1].method == "PUT"
    assert sent(stub) == {"source": "github:acme/app", "ciFile": CI, "paths": ["src/**"], "graceSeconds": 7200}


def test_update_to_another_system_takes_no_file_over(operate, stub) -> None:
    stub.replies = [page(workflow()), reply(source()), reply(source())]

    operate("workflow", "update", "release", "--source", "gitlab:acme/app", "--path", "")

    assert sent(stub) == {
        "source": "gitlab:acme/app", "ciFile": "", "branch": "main", "paths": [], "cadenceSeconds": 86400,
        "graceSeconds": 1800,
    }  # fmt: skip


def test_r30_update_builds_nothing_upon_what_was_only_claimed(operate, stub) -> None:
    stub.replies = [page(workflow()), reply(claimed())]

    result = operate("workflow", "update", "release", "--branch", "main")

    assert (result.status, len(stub.seen)) == (2, 2)
    assert "`chainloop workflow source accept`" in result.err


def test_update_changes_source_and_workflow(operate, stub) -> None:
    stub.replies = [page(workflow()), NONE, reply(source(), 201), reply(workflow(team="new"))]

    result = operate("workflow", "update", "release", "--team", "new", "--source", "gitlab:a/b")

    assert result.status == 0, result.err
    assert [(seen.method, seen.path.rsplit("/", 1)[-1]) for seen in stub.seen[2:]] == [
        ("PUT", "source"), ("PATCH", WORKFLOW),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("registered", "is_warned"),
    [
        ({}, True),
        ({"repositoryId": "4711"}, False),
        ({"kind": "jenkins", "source": "jenkins:https://ci.example.com/job/app"}, False),
    ],
)
def test_a_repository_that_no_registration_lists_is_pointed_at(operate, stub, registered, is_warned) -> None:
    stub.replies = [page(workflow()), reply(source()), reply(source(**registered))]

    updated = operate("workflow", "update", "release", "--grace", "2h")
    stub.replies = [page(workflow()), reply(claimed()), reply(source(**registered))]
    accepted = operate("workflow", "source", "accept", "release", "--yes")

    assert (updated.status, accepted.status) == (0, 0)
    assert [
        "no registration lists this repository" in said and "integration registered add github --help" in said
        for said in (updated.err, accepted.err)
    ] == [is_warned, is_warned]


def test_show_says_what_is_registered(operate, stub) -> None:
    stub.replies = [page(workflow()), reply(source())]

    shown = operate("workflow", "source", "show", "release")

    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.out.splitlines() if "│" in line]
    assert rows == [
        ["Source", "github:acme/app"], ["State", "accepted"], ["CI File", CI], ["Branch", "main"],
        ["Event", "every one"], ["Paths", "src/**"], ["Cadence", "1d"], ["Grace", "30m"],
        ["Repository ID", "no registration lists it"], ["Public", "the forge has not told"],
    ]  # fmt: skip


def test_r30_show_says_that_a_claim_is_one(operate, stub) -> None:
    stub.replies = [page(workflow()), reply(claimed(ciFile=""))]

    shown = operate("workflow", "source", "show", "release")

    assert "not recorded; name it with --ci-file" in shown.out
    assert "only claimed by an attestation" in shown.err


def test_r30_a_claim_is_shown_and_accepted_by_a_person(operate, stub) -> None:
    stub.replies = [page(workflow()), reply(claimed()), reply(source(), 201)]

    result = operate("workflow", "source", "accept", "release", typed="y\n")

    assert result.status == 0, result.err
    assert "Register github:acme/app as the source of bedrock/release?" in result.err
    assert "│ Claimed By Run │" in result.out
    assert sent(stub) == {"source": "github:acme/app", "ciFile": CI, "paths": [], "graceSeconds": 1800}


def test_r30_a_claim_is_completed_when_it_is_accepted(operate, stub) -> None:
    stub.replies = [page(workflow()), reply(claimed(ciFile="")), reply(source(), 201)]

    result = operate("workflow", "source", "accept", "release", "--ci-file", CI, "--branch", "main", "--yes")

    assert result.status == 0, result.err
    assert (sent(stub)["ciFile"], sent(stub)["branch"]) == (CI, "main")


@pytest.mark.parametrize(("typed", "status"), [("n\n", 1), (None, 2)])
def test_r30_without_a_yes_a_claim_stays_one(operate, stub, typed, status) -> None:
    stub.replies = [page(workflow()), reply(claimed())]

    result = operate("workflow", "source", "accept", "release", typed=typed)

    assert (result.status, len(stub.seen)) == (status, 2)


def test_what_is_registered_already_is_not_asked_about(operate, stub) -> None:
    stub.replies = [page(workflow()), reply(source())]

    result = operate("workflow", "source", "accept", "release")

    assert (result.status, len(stub.seen)) == (0, 2)


def test_accept_as_json_is_one_document(operate, stub) -> None:
    stub.replies = [page(workflow()), reply(claimed()), reply(source(), 201)]

    document = operate("workflow", "source", "accept", "release", "--yes", "-o", "json").json

    assert (document["state"], document["source"]) == ("accepted", "github:acme/app")


def test_remove_asks_the_control_plane(operate, stub) -> None:
    stub.replies = [page(workflow()), reply(source()), Reply(204)]

    result = operate("workflow", "source", "remove", "bedrock/release", "-o", "json")

    assert (stub.seen[-1].method, stub.seen[-1].path) == ("DELETE", f"/api/v1/workflows/{WORKFLOW}/source")
    assert result.json["removed"] is True


@pytest.mark.parametrize("answer", [NONE, reply(claimed())])
def test_there_is_nothing_to_remove_where_nothing_is_registered(operate, stub, answer) -> None:
    stub.replies = [page(workflow()), answer]

    result = operate("workflow", "source", "remove", "release")

    assert (result.status, len(stub.seen)) == (1, 2)


def test_list_has_a_row_for_each_repository(operate, stub) -> None:
    item = {
        "id": RUN, "source": "github:acme/app", "kind": "github", "host": "https://github.com",
        "repository": "acme/app", "createdAt": "2022-11-03T12:24:00Z", "workflows": 2, "defaultBranch": "main",
    }  # fmt: skip
    stub.replies = [page(item, cursor="c")]

    result = operate("workflow", "source", "ls")

    assert f"│ {RUN} │ github:acme/app │           2 │ main           │" in result.out
    assert "--next c" in result.err


@pytest.mark.parametrize(("word", "allowed"), [("on", True), ("off", False)])
def test_r47_update_says_whether_names_are_for_everybody(operate, stub, word: str, allowed: bool) -> None:
    listed = {"id": RUN, "source": "github:acme/app", "kind": "github", "host": "https://github.com"}
    listed |= {"repository": "acme/app", "createdAt": "2026-01-31T12:00:00Z", "workflows": 3, "public": True}
    stub.replies = [page(workflow()), reply(source()), reply({**listed, "namesInPublic": allowed})]

    result = operate("workflow", "source", "update", "app", "--names-in-public", word)

    assert (result.status, stub.seen[-1].method, stub.seen[-1].path) == (0, "PATCH", f"/api/v1/sources/{RUN}")
    assert sent(stub) == {"namesInPublic": allowed}
    assert "workflows=3" in result.err


def test_r47_what_is_only_claimed_is_allowed_nothing(operate, stub) -> None:
    stub.replies = [page(workflow()), reply(claimed())]

    result = operate("workflow", "source", "update", "app", "--names-in-public", "on")

    assert result.status == 1
    assert "workflow source accept" in result.err


def decided(**more: Any) -> dict[str, Any]:
    """Return a source after a change of its settings."""
    return {
        "id": RUN, "source": "github:acme/app", "kind": "github", "host": "https://github.com",
        "repository": "acme/app", "createdAt": "2026-01-31T12:00:00Z", "workflows": 1, **more,
    }  # fmt: skip


@pytest.mark.parametrize(("typed", "status", "requests"), [("n\n", 1, 2), ("y\n", 0, 3), (None, 0, 3)])
def test_r35_letting_untrusted_heads_pass_is_asked_of_whoever_can_answer(
    operate, stub, typed, status, requests
) -> None:
    stub.replies = [page(workflow()), reply(source()), reply(decided(untrustedHeadsPass=True))]

    result = operate("workflow", "source", "update", "app", "--untrusted-heads-pass", "on", typed=typed)

    assert (result.status, len(stub.seen)) == (status, requests)
    assert ("pass without an attestation" in result.out) is (status == 0)


def test_r35_to_let_untrusted_heads_wait_is_asked_of_nobody(operate, stub) -> None:
    stub.replies = [page(workflow()), reply(source(untrustedHeadsPass=True)), reply(decided())]

    result = operate("workflow", "source", "update", "app", "--untrusted-heads-pass", "off", typed="n\n")

    assert (result.status, len(stub.seen)) == (0, 3)
    assert "pass without an attestation" not in result.out


def test_r47_what_an_update_shows_is_who_reads_the_repository_now(operate, stub) -> None:
    stub.replies = [page(workflow()), reply(source(public=False)), reply(decided(public=True))]

    result = operate("workflow", "source", "update", "app", "--names-in-public", "off", "-o", "json")

    assert result.json["public"] is True


def test_r35_what_is_not_typed_is_not_sent(operate, stub) -> None:
    stub.replies = [page(workflow()), reply(source()), reply(decided(tokenIsProtected=True))]

    result = operate("workflow", "source", "update", "app", "--token-is-protected", "on", "--names-in-public", "off")

    assert sent(stub) == {"tokenIsProtected": True, "namesInPublic": False}
    assert "a protected variable" in result.out


def test_an_update_of_nothing_is_none(operate, stub) -> None:
    result = operate("workflow", "source", "update", "app")

    assert (result.status, stub.seen) == (2, [])
    assert "--token-is-protected" in result.err
