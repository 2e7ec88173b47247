"""The documents of `chainloop apply`: told apart byte by byte, and placed in their files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.cli.apply_files import split
from tests.unit.cli.answers import reply

ONE = b"kind: Contract\nmetadata: {name: one}\n"
TWO = b"kind: Contract\nmetadata: {name: two}\n"


@pytest.mark.parametrize(
    ("raw", "pieces"),
    [
        (ONE, [(ONE, 0)]),
        (b"---\n" + ONE, [(b"---\n" + ONE, 0)]),
        (b"# a comment\n---\n" + ONE, [(b"# a comment\n---\n" + ONE, 0)]),
        (ONE + b"---\n" + TWO, [(ONE, 0), (TWO, 3)]),
        (b"---\n" + ONE + b"---\n" + TWO, [(ONE, 1), (TWO, 4)]),
        (ONE + b"---\r\n" + TWO, [(ONE, 0), (TWO, 3)]),
        (ONE + b"---  \n\n# nothing\n---\n" + TWO, [(ONE, 0), (TWO, 6)]),
        (ONE + b"---\n", [(ONE, 0)]),
        (ONE + b"---", [(ONE, 0)]),
        (ONE + b"--- # two\n" + TWO, [(ONE, 0), (b" # two\n" + TWO, 2)]),
        (ONE + b"--- {kind: x}\n", [(ONE, 0), (b" {kind: x}\n", 2)]),
        (ONE + b"...\n", [(ONE + b"...\n", 0)]),
        (b"a: |\n  ---\n  text\n", [(b"a: |\n  ---\n  text\n", 0)]),
        (b"a: ---\nb: ----\n----: c\n", [(b"a: ---\nb: ----\n----: c\n", 0)]),
        (b"", []),
        (b"# nothing\n\n", []),
    ],
)
def test_documents_are_told_apart_where_yaml_does(raw, pieces):
    assert [(piece.raw, piece.first_line) for piece in split("a.yaml", raw)] == pieces


def test_only_yaml_has_several_documents():
    [piece] = split("a.json", b'{"a": 1}\n---\n{"b": 2}\n')

    assert piece.first_line == 0


@given(st.lists(st.sampled_from([ONE, TWO, b"---\n", b"--- \n", b"# c\n", b"\n", b"- |\n  ---\n"]), max_size=8))
def test_the_documents_are_those_that_a_yaml_library_finds(parts):
    raw = b"".join(parts)
    try:
        wanted = [found for found in yaml.safe_load_all(raw) if found is not None]
        found = [value for piece in split("a.yml", raw) if (value := yaml.safe_load(piece.raw)) is not None]
    except yaml.YAMLError:
        return

    assert found == wanted


CONTRACT = "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: one}\nspec: {}\n"
WORKFLOW = "apiVersion: chainloop.dev/v1\nkind: Workflow\nmetadata: {name: build}\nspec:\n  project: shop\n"


def refused(operate, *files: str) -> str:
    """Apply the current folder, which must be refused before anything is sent, and return what was said."""
    result = operate("apply", *(files or ("-f", ".")))
    assert result.status == 1, result.err
    return result.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WORKFLOW.replace("build", "Build"), "line 3:18 a.yaml#/metadata/name: 'Build' must contain only"),
        (WORKFLOW + "  projct: x\n", "line 6:3 a.yaml#/spec/projct: unknown field 'projct'"),
        (WORKFLOW + "  contract: 7\n", "line 6:13 a.yaml#/spec/contract: expected text, found the number 7"),
        (WORKFLOW + "  source: {}\n", "a.yaml#/spec/source/repository: the field 'repository' is missing"),
        (
            WORKFLOW + "  source:\n    repository: acme/app\n",
            "line 7:17 a.yaml#/spec/source/repository: expected a sou",
        ),
        (WORKFLOW + "  source:\n    repository: github:a/b\n", "line 7:5 a.yaml#/spec/source/ciFile: a workflow of Gi"),
        (
            WORKFLOW + "  source: {repository: 'gitlab:a/b', grace: 1s}\n",
            "line 6:45 a.yaml#/spec/source/grace: grace: ex",
        ),
        (
            WORKFLOW + "  source: {repository: 'gitlab:a/b', cadence: soon}\n",
            "/spec/source/cadence: 'soon' must be a dur",
        ),
        (
            WORKFLOW + "  source: {repository: 'gitlab:a/b', paths: [a, /b]}\n",
            "a.yaml#/spec/source/paths/1: expected a",
        ),
        (CONTRACT + "---\n" + WORKFLOW + "  team: [a]\n", "line 11:9 a.yaml#/spec/team: expected text, found a list"),
        (CONTRACT + "---\n" + CONTRACT, "line 8:18 a.yaml#/metadata/name: contract one stands twice: the first one is"),
        (CONTRACT + "---\na: [\n", "a.yaml#/: not YAML"),
        (CONTRACT + "---\nkind: Policy\n", "line 6:7 a.yaml#/kind: expected kind: Contract or kind: Workflow, found"),
        ("schemaVersion: v1\n", "a contract of the form v1, which has no name"),
        ("- a\n", "a.yaml#/kind: expected kind: Contract or kind: Workflow, found none"),
        (CONTRACT.replace("spec: {}", "spec: {materials: [{}]}"), "a.yaml#/spec/materials/0/type: the field 'type' is"),
    ],
)
def test_an_error_is_found_at_its_place_and_nothing_is_sent(operate, stub, tmp_path: Path, text, said):
    (tmp_path / "a.yaml").write_text(text)

    assert said in refused(operate, "-f", "a.yaml")
    assert stub.seen == []


def test_errors_of_all_files_come_at_once(operate, stub, tmp_path: Path) -> None:
    for name in ("b.yml", "a/c.json", "a/d.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"kind": "Nothing"}\n')

    said = refused(operate)

    assert "the files have 3 errors; nothing was changed" in said
    assert all(f"{name}#/kind" in said for name in ("b.yml", "a/c.json", "a/d.yaml"))


def test_hidden_files_and_those_of_other_kinds_are_left_alone(operate, stub, tmp_path: Path) -> None:
    for name in (".git/a.yaml", ".hidden.yaml", "README.md", "run.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("kind: Nothing\n")

    assert "the folder . has no file that could describe a contract or a workflow" in refused(operate)


def test_r22_a_link_out_of_the_folder_is_refused(operate, stub, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "outside.yaml").write_text(CONTRACT)
    (folder / "link.yaml").symlink_to(tmp_path / "outside.yaml")

    result = operate("apply", "-f", "folder")

    assert "folder/link.yaml is a link that leads out of the folder folder" in result.err
    assert (result.status, stub.seen) == (1, [])


def test_a_link_to_another_folder_is_left_alone(operate, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.yaml").write_text(CONTRACT)
    (folder / "link").symlink_to(tmp_path / "outside")

    assert "the folder folder has no file" in refused(operate, "-f", "folder")


def test_contracts_in_json_and_cue_are_documents_too(operate, stub, tmp_path: Path) -> None:
    header = '"apiVersion": "chainloop.dev/v1", "kind": "Contract"'
    (tmp_path / "a.json").write_text(f'{{{header}, "metadata": {{"name": "a"}}, "spec": {{}}}}')
    (tmp_path / "b.cue").write_text('apiVersion: "chainloop.dev/v1"\nkind: "Contract"\nmetadata: name: "b"\nspec: {}\n')
    stub.replies = [reply({"items": []})]

    result = operate("apply", "-f", ".")

    assert result.status == 0, result.err
    sent = json.loads(stub.seen[0].body)["contracts"]
    assert [(item["name"], item["format"]) for item in sent] == [("a", "json"), ("b", "cue")]


def test_a_file_that_is_not_there_is_named(operate, tmp_path: Path) -> None:
    assert "missing.yaml" in refused(operate, "-f", "missing.yaml")


def test_a_command_without_files_is_one_of_nothing(operate) -> None:
    assert operate("apply").status == 2
