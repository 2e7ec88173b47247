from __future__ import annotations

import json

import pytest

from tests.unit.cli.answers import WORKFLOW, page, problem, reply, workflow
from tests.unit.stub_server import Reply


def test_list_has_the_columns_of_the_transcript(operate, stub) -> None:
    stub.replies = [page(workflow(), workflow(name="build-and-test", runsCount=133))]

    result = operate("workflow", "ls")

    lines = result.out.splitlines()
    assert lines[1].split("│")[1:-1] == [
        f" {head} " for head in
        (f"{'ID':36}", f"{'NAME':14}", "PROJECT", "TEAM", f"{'CREATED AT':19}", "# RUNS", "LAST RUN STATUS")
    ]  # fmt: skip
    assert lines[3] == (
        f"│ {WORKFLOW} │ release        │ bedrock │ core │ 03 Nov 22 12:24 UTC │     11 │ success         │"
    )
    assert "│    133 │" in lines[4]


def test_r20_a_last_run_that_is_late_is_called_so(operate, stub) -> None:
    late = workflow(lastRunLate=True)
    stub.replies = [page(late), page(late)]

    listed = operate("workflow", "list").out
    shown = operate("workflow", "describe", "release").out

    assert "│ success (late)" in listed.splitlines()[3]
    assert "│ success (late)" in shown


def test_a_page_that_is_not_the_last_says_how_to_go_on(operate, stub) -> None:
    stub.replies = [page(workflow(), cursor="c-2")]

    result = operate("workflow", "list", "--limit", "1", "--next", "c-1", "--project", "bedrock")

    assert stub.seen[0].path == "/api/v1/workflows?project=bedrock&limit=1&cursor=c-1"
    assert "--next c-2" in result.err


def test_list_as_json_holds_records_and_the_cursor(operate, stub) -> None:
    stub.replies = [page(workflow(), cursor="c-2")]

    document = operate("workflow", "list", "-o", "json").json

    assert (document["items"][0]["runsCount"], document["nextCursor"]) == (11, "c-2")


def test_create_sends_what_was_typed(operate, stub) -> None:
    stub.replies = [reply(workflow(), 201)]

    result = operate(
        "wf", "create", "--name", "release", "--project", "bedrock", "--contract", "release", "--team", "core",
        "--run-expiry", "1h30m",
    )  # fmt: skip

    assert json.loads(stub.seen[0].body) == {
        "name": "release", "project": "bedrock", "contract": "release", "team": "core", "description": "",
        "runExpirySeconds": 5400,
    }  # fmt: skip
    assert "INF workflow created" in result.err
    assert "WRN" not in result.err


def test_r37_a_workflow_without_contract_is_created_with_a_warning_that_it_asks_for_nothing(operate, stub) -> None:
    stub.replies = [reply(workflow(contract="bedrock-release"), 201)]

    result = operate("workflow", "create", "--name", "release", "--project", "bedrock")

    assert result.status == 0
    assert "WRN its new contract is empty" in result.err
    assert "no requirements" in result.err
    assert "chainloop workflow contract apply --name bedrock-release -f contract.yaml" in result.err


def test_one_that_is_there_already_is_an_error_unless_that_is_fine(operate, stub) -> None:
    conflict = problem(409, "conflict", "project bedrock already has a workflow release")
    words = ("workflow", "create", "--name", "release", "--project", "bedrock")
    stub.replies = [conflict, conflict, page(workflow())]

    refused = operate(*words)
    skipped = operate(*words, "--skip-if-exists")

    assert (refused.status, skipped.status) == (1, 0)
    assert WORKFLOW in skipped.out


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("release", "--project", "bedrock"), "/api/v1/workflows?project=bedrock&name=release&limit=200"),
        (("bedrock/release",), "/api/v1/workflows?project=bedrock&name=release&limit=200"),
        (("--name", "release"), "/api/v1/workflows?name=release&limit=200"),
        ((WORKFLOW,), f"/api/v1/workflows/{WORKFLOW}"),
        (("--id", WORKFLOW), f"/api/v1/workflows/{WORKFLOW}"),
    ],
)
def test_describe_takes_a_name_or_an_id(operate, stub, words: tuple[str, ...], path: str) -> None:
    stub.replies = [reply(workflow()) if "limit" not in path else page(workflow())]

    result = operate("workflow", "describe", *words)

    assert (result.status, stub.seen[0].path) == (0, path)
    assert "release (revision 2)" in result.out


def test_a_name_in_several_projects_must_be_narrowed(operate, stub) -> None:
    stub.replies = [page(workflow(), workflow(project="other"))]

    result = operate("workflow", "describe", "release")

    assert result.status == 2
    assert "--project" in result.err


def test_update_changes_only_what_was_typed(operate, stub) -> None:
    stub.replies = [page(workflow()), reply(workflow(contract="other"))]

    result = operate("workflow", "update", "release", "--contract", "other")

    assert (result.status, stub.seen[1].method, json.loads(stub.seen[1].body)) == (0, "PATCH", {"contract": "other"})


@pytest.mark.parametrize(("word", "is_public"), [("on", True), ("off", False)])
def test_r47_update_makes_verdicts_public_or_not(operate, stub, word: str, is_public: bool) -> None:
    stub.replies = [page(workflow()), reply(workflow(publicVerdict=is_public))]

    result = operate("workflow", "update", "release", "--public-verdict", word)

    assert (result.status, json.loads(stub.seen[1].body)) == (0, {"publicVerdict": is_public})
    assert ("state, name and time" in result.out) is is_public


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("update", "release"), "nothing to change"),
        (("update", "release", "--run-expiry", "x"), "--run-expiry"),
        (("update", "release", "--run-expiry", "10s"), "1m to 30d"),
        (("describe",), "say which workflow"),
        (("delete",), "say which workflow"),
        (("create", "--name", "x"), "--project"),
    ],
)
def test_what_is_incomplete_is_refused_before_anything_is_asked(
    operate, stub, words: tuple[str, ...], said: str
) -> None:
    result = operate("workflow", *words)

    assert result.status == 2
    assert said in result.err
    assert stub.seen == []


def test_delete_says_what_is_gone(operate, stub) -> None:
    stub.replies = [page(workflow()), Reply(204, headers={})]

    result = operate("workflow", "delete", "release", "-o", "json")

    assert (stub.seen[1].method, stub.seen[1].path) == ("DELETE", f"/api/v1/workflows/{WORKFLOW}")
    assert result.json == {"deleted": True, "id": WORKFLOW, "name": "release", "project": "bedrock"}


def test_a_workflow_with_runs_is_kept(operate, stub) -> None:
    stub.replies = [page(workflow()), problem(409, "conflict", "it has 11 runs")]

    result = operate("workflow", "delete", "release")

    assert result.status == 1
    assert "it has 11 runs" in result.err
