from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from tests.unit.cli.answers import DIGEST, page, problem, reply, revision
from tests.unit.stub_server import Reply

V2 = """\
apiVersion: chainloop.dev/v1
kind: Contract
metadata:
  name: release
spec:
  materials:
    - {type: STRING, name: commit}
    - {type: ARTIFACT, name: binary, output: true, optional: true}
"""
V1 = "schemaVersion: v1\nmaterials:\n  - {type: STRING, name: commit}\n"
BROKEN = "schemaVersion: v1\nmaterials:\n  - {type: NOPE, name: commit}\n  - {typo: STRING, name: other}\n"
LISTED = {
    "name": "release", "latestRevision": 3, "digest": DIGEST, "format": "yaml", "workflows": 2,
    "createdAt": "2022-11-03T12:24:00Z", "updatedAt": "2022-11-04T12:24:00Z",
}  # fmt: skip


@pytest.fixture
def write(tmp_path: Path):
    """Return a writer of contract files."""

    def file(text: str, name: str = "contract.yaml") -> str:
        (tmp_path / name).write_text(text)
        return name

    return file


# --- lint: offline ---------------------------------------------------------------------------------------------------


def test_lint_of_a_valid_contract_needs_no_control_plane(operate, stub, write) -> None:
    result = operate("workflow", "contract", "lint", write(V2), env={"CHAINLOOP_TOKEN": ""})

    assert result.status == 0
    assert "│ binary │ ARTIFACT │ No       │ x         │" in result.out
    assert "INF contract.yaml is a valid contract" in result.err
    assert stub.seen == []


def test_lint_lists_every_error_with_file_line_column_and_path(operate, write) -> None:
    result = operate("workflow", "contract", "lint", write(BROKEN))

    lines = result.out.splitlines()
    assert result.status == 1
    assert lines[0].startswith("contract.yaml:3:12 /materials/0/type ")
    assert any(line.startswith("contract.yaml:4:6 /materials/1/typo ") for line in lines)
    assert f"ERR contract.yaml has {len(lines)} errors" in result.err


def test_lint_as_json_prints_the_normalised_contract(operate, write) -> None:
    document = operate("workflow", "contract", "lint", "-f", write(V1), "-o", "json").json

    assert document == {"schemaVersion": "v1", "materials": [{"type": "STRING", "name": "commit"}]}


def test_lint_as_json_prints_the_findings(operate, write) -> None:
    result = operate("workflow", "contract", "lint", write(BROKEN), "-o", "json")

    assert (result.status, result.json["error"]["code"], result.json["exitCode"]) == (1, "contract-invalid", 1)
    assert {finding["line"] for finding in result.json["error"]["findings"]} == {3, 4}


def test_lint_prints_the_same_for_the_three_spellings_of_one_contract(operate, corpus: Path) -> None:
    files = sorted((corpus / "contracts").glob("*-2022.*")) or sorted((corpus / "contracts").iterdir())

    printed = {operate("workflow", "contract", "lint", path, "-o", "json").out for path in files}

    assert len(printed) == 1


def test_lint_warns_of_what_is_not_implemented_yet(operate, write) -> None:
    text = "schemaVersion: v1\nmaterials:\n  - {type: HELM_CHART, name: chart}\n"

    result = operate("workflow", "contract", "lint", write(text))

    assert result.status == 0
    assert "WRN contract.yaml:3:12 /materials/0/type" in result.err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [((), 2, "which file"), (("absent.yaml",), 1, "absent.yaml"), (("/dev/null",), 1, "/dev/null")],
)
def test_lint_of_no_file_says_so(operate, words: tuple[str, ...], status: int, said: str) -> None:
    result = operate("workflow", "contract", "lint", *words)

    assert result.status == status
    assert said in result.err


def test_lint_of_a_huge_file_says_the_limit(operate, write) -> None:
    result = operate("workflow", "contract", "lint", write("#" * 1_100_000))

    assert result.status == 1
    assert "1048576 bytes" in result.err


# --- storing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("changed", "said"), [(True, "contract applied"), (False, "contract unchanged")])
def test_apply_sends_the_exact_bytes_under_the_contract_s_own_name(
    operate, stub, write, changed: bool, said: str
) -> None:
    stub.replies = [reply(revision(changed=changed))]

    result = operate("workflow", "contract", "apply", "-f", write(V2))

    seen = stub.seen[0]
    assert (seen.method, seen.path, seen.body) == ("PUT", "/api/v1/contracts/release", V2.encode())
    assert seen.headers["Content-Type"] == "application/yaml"
    assert f"INF {said} name=release revision=1" in result.err


def test_a_contract_without_a_name_needs_one(operate, stub, write) -> None:
    stub.replies = [reply(revision(changed=True))]

    refused = operate("workflow", "contract", "apply", "-f", write(V1))
    named = operate("workflow", "contract", "apply", "-f", "contract.yaml", "--name", "flat")

    assert (refused.status, named.status) == (2, 0)
    assert "--name" in refused.err
    assert stub.seen[0].path == "/api/v1/contracts/flat"


def test_two_names_that_differ_are_refused(operate, stub, write) -> None:
    result = operate("workflow", "contract", "apply", "-f", write(V2), "--name", "other")

    assert result.status == 2
    assert stub.seen == []


def test_a_broken_contract_is_not_sent(operate, stub, write) -> None:
    result = operate("workflow", "contract", "apply", "-f", write(BROKEN), "--name", "x")

    assert result.status == 1
    assert "line 3:12 /materials/0/type" in result.err
    assert stub.seen == []


@pytest.mark.parametrize(
    ("name", "text", "media_type"),
    [
        ("c.json", '{"schemaVersion": "v1"}', "application/json"),
        ("c.cue", 'schemaVersion: "v1"', "application/cue"),
        ("c.yml", "schemaVersion: v1", "application/yaml"),
    ],
)
def test_the_media_type_is_that_of_the_file(operate, stub, write, name: str, text: str, media_type: str) -> None:
    stub.replies = [reply(revision())]

    operate("workflow", "contract", "apply", "-f", write(text, name), "--name", "x")

    assert stub.seen[0].headers["Content-Type"] == media_type


@pytest.mark.real("cue")
@pytest.mark.parametrize(
    ("text", "is_said"), [('schemaVersion: "v1"', False), ('_v: 1\nschemaVersion: "v\\(_v)"', True)]
)
def test_apply_says_when_what_is_stored_is_not_the_file(operate, stub, write, text: str, is_said: bool) -> None:
    stub.replies = [reply(revision())]

    path = {"PATH": os.environ["PATH"]}
    result = operate("workflow", "contract", "apply", "-f", write(text, "c.cue"), "--name", "x", env=path)

    assert result.status == 0
    assert ("evaluated by cue; stored as the JSON" in result.err) is is_said


def test_create_refuses_one_that_is_there(operate, stub, write) -> None:
    stub.replies = [problem(412, "precondition-failed", "there is already a contract release")]

    result = operate("workflow", "contract", "create", "-f", write(V2))

    assert (result.status, stub.seen[0].headers["If-None-Match"]) == (1, "*")


def test_update_is_not_made_over_somebody_else_s(operate, stub, write) -> None:
    stub.replies = [reply(LISTED), problem(412, "precondition-failed", "the newest revision is 4")]

    result = operate("workflow", "contract", "update", "-f", write(V2), "--description", "new")

    assert stub.seen[1].headers["If-Match"] == '"3"'
    assert stub.seen[1].path == "/api/v1/contracts/release?description=new"
    assert (result.status, "newest revision is 4" in result.err) == (1, True)


@pytest.mark.parametrize(("verb", "requests"), [("apply", 1), ("update", 2)])
def test_a_revision_may_be_expected(operate, stub, write, verb: str, requests: int) -> None:
    stub.replies = [reply(LISTED), problem(412, "precondition-failed", "the newest revision is 3", hint="read it")]
    stub.replies = stub.replies[-requests:]

    result = operate("workflow", "contract", verb, "-f", write(V2), "--if-revision", "2")

    assert (result.status, stub.seen[-1].headers["If-Match"]) == (1, '"2"')
    assert "newest revision is 3" in result.err


def test_a_contract_without_materials_is_a_sentence(operate, write) -> None:
    result = operate("workflow", "contract", "lint", write("schemaVersion: v1\n"))

    assert (result.status, result.out) == (0, "")
    assert "INF the contract asks for no materials" in result.err


# --- reading ---------------------------------------------------------------------------------------------------------


def test_list_has_the_columns_of_the_reference(operate, stub) -> None:
    stub.replies = [page(LISTED)]

    out = operate("workflow", "contract", "ls").out

    assert "│ NAME    │ LATEST REVISION │ CREATED AT          │ UPDATED AT          │ # WORKFLOWS │" in out


def test_describe_shows_the_newest_revision(operate, stub) -> None:
    stub.replies = [reply(LISTED), reply(revision(revision=3, latestRevision=3))]

    result = operate("workflow", "contract", "describe", "release")

    assert stub.seen[1].path == "/api/v1/contracts/release/revisions/3"
    assert "│ commit │ STRING │ Yes" in result.out


def test_describe_can_print_the_exact_bytes_of_a_revision(operate, stub) -> None:
    stub.replies = [reply(revision())]

    result = operate("workflow", "contract", "describe", "--name", "release", "--revision", "1", "-o", "schema")

    assert stub.seen[0].path == "/api/v1/contracts/release/revisions/1"
    assert result.raw == base64.b64decode(revision()["rawBody"])


def test_describe_as_json_is_the_record(operate, stub) -> None:
    stub.replies = [reply(revision())]

    document = operate("workflow", "contract", "describe", "release", "--revision", "1", "-o", "json").json

    assert json.loads(json.dumps(document))["latestRevision"] == 2


@pytest.mark.parametrize("verb", ["describe", "delete"])
def test_a_contract_must_be_named(operate, stub, verb: str) -> None:
    result = operate("workflow", "contract", verb)

    assert (result.status, stub.seen) == (2, [])


def test_delete_says_what_is_gone_and_what_is_still_used(operate, stub) -> None:
    stub.replies = [Reply(204, headers={}), problem(409, "conflict", "contract release is used by 2 workflows")]

    gone, used = (operate("workflow", "contract", "delete", "release") for _ in range(2))

    assert (gone.status, used.status) == (0, 1)
    assert "used by 2 workflows" in used.err


def test_each_error_of_a_contract_is_said_once(operate, stub, tmp_path) -> None:
    (tmp_path / "bad.yaml").write_text(
        "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: x}\n"
        "spec:\n  materials:\n    - {name: readme, type: ARTIFAC, bla: 1}\n"
    )

    result = operate("workflow", "contract", "apply", "-f", "bad.yaml")

    assert (result.status, stub.seen) == (1, [])
    assert "ERR the contract has 2 errors\n" in result.err
    assert [result.err.count(text) for text in ("found 'ARTIFAC'", "unknown field 'bla'", "did you mean")] == [1, 1, 1]


@pytest.mark.parametrize("name", ["notes.txt", "notes.yaml", "notes.json"])
@pytest.mark.parametrize("text", ["hello: world", "some text", "- a\n- b", '{"a": 1}', "a: b: c\n  x"])
def test_a_file_that_is_no_contract_is_told_how_one_begins(operate, stub, tmp_path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    result = operate("workflow", "contract", "apply", "-f", name)

    assert (result.status, stub.seen) == (1, [])
    assert "a contract begins with `apiVersion: chainloop.dev/v1` and `kind: Contract`" in result.err
