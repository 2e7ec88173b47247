"""Entries become files: one is the material, several are packed, refused or numbered, none is an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chainloop_ci.cli.workspace_files import WorkspaceFiles
from chainloop_ci.contract.load import load
from chainloop_ci.contract.types import Contract, MaterialType
from chainloop_ci.crafting.add import AddRequest
from chainloop_ci.crafting.expanding import MAX_PATTERN_TEXT, MaterialRequest, expand
from chainloop_ci.errors import FileUnreadableError, MaterialRejectedError, PathRefusedError
from chainloop_ci.workspace.globs import Matches
from tests.unit.crafting.memory import Notes

CONTRACT = b"""\
apiVersion: chainloop.dev/v1
kind: Contract
metadata: {name: release}
spec:
  materials:
    - {type: STRING, name: version}
    - {type: JUNIT_XML, name: tests}
    - {type: ARTIFACT, name: wheel, annotations: [{name: team, value: core}]}
    - {type: ARTIFACT, name: wheel-2}
    - {type: ARTIFACT, name: binary, output: true}
    - {type: ARTIFACT, name: secret, skipUpload: true}
    - {type: ARTIFACT, name: app-linux, output: true, group: apps}
    - {type: ARTIFACT, name: app-mac, output: true, group: apps}
    - {type: CONTAINER_IMAGE, name: image}
"""


@pytest.fixture
def contract() -> Contract:
    return load(CONTRACT).contract


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    for name in ("dist/a.whl", "dist/b.whl", "dist/c.whl", "reports/x/a.xml", "reports/b.xml", "one.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def expanded(workspace: Path, contract: Contract, name: str, value: str, taken: tuple[str, ...] = (), **facts):
    """Return the requests for one entry."""
    wanted = facts.pop("type", None)
    request = MaterialRequest(AddRequest(value, name, type=wanted), **facts)
    return expand(request, contract, WorkspaceFiles(workspace, {}), taken, Notes())


def test_one_match_is_the_material(workspace, contract) -> None:
    [add] = expanded(workspace, contract, "wheel", "**/a.whl")

    assert (add.name, add.value) == ("wheel", "dist/a.whl")


def test_a_path_that_exists_is_taken_literally(workspace, contract) -> None:
    (workspace / "dist" / "[ab].whl").touch()

    [add] = expanded(workspace, contract, "wheel", "dist/[ab].whl")

    assert add.value == "dist/[ab].whl"


@pytest.mark.parametrize("name", ["version", "unknown"])
def test_a_text_stays_a_text(workspace, contract, name) -> None:
    assert [add.value for add in expanded(workspace, contract, name, "Really?")] == ["Really?"]
    assert [add.value for add in expanded(workspace, contract, name, "https://x.test/?a=*")] == ["https://x.test/?a=*"]


def test_a_text_that_is_too_long_for_a_pattern_stays_a_text(workspace, contract) -> None:
    text = "*/" * (MAX_PATTERN_TEXT // 2) + "x"

    assert [add.value for add in expanded(workspace, contract, "unknown", text)] == [text]


def test_a_folder_that_may_not_be_listed_is_a_warning(workspace, contract) -> None:
    class Closed(WorkspaceFiles):
        def find(self, pattern: str) -> Matches:
            return replace(super().find(pattern), unlisted=("dist/closed",))

    notes = Notes()

    expand(MaterialRequest(AddRequest("**/a.whl", "wheel")), contract, Closed(workspace, {}), (), notes)

    [warning] = notes.warnings
    assert "may not be listed" in warning
    assert "dist/closed" in warning


def test_a_value_of_the_repository_s_file_is_no_pattern(workspace, contract) -> None:
    assert [add.value for add in expanded(workspace, contract, "wheel", "dist/*", is_path=False)] == ["dist/*"]


def test_an_image_is_no_pattern_until_it_has_a_wildcard(workspace, contract) -> None:
    assert [add.value for add in expanded(workspace, contract, "image", "nginx:1.2")] == ["nginx:1.2"]
    assert [add.value for add in expanded(workspace, contract, "image", "on*.txt")] == ["one.txt"]


def test_several_reports_become_one_archive(workspace, contract) -> None:
    [add] = expanded(workspace, contract, "tests", "reports/**/*.xml")

    assert add.pack is not None
    assert (add.name, add.type, add.pack.filename) == ("tests", MaterialType.JUNIT_XML, "tests.zip")
    assert [(file.name, file.path) for file in add.pack.files] == [
        ("b.xml", "reports/b.xml"),
        ("x/a.xml", "reports/x/a.xml"),
    ]


def test_several_reports_of_a_type_that_only_the_entry_says_are_packed_too(workspace, contract) -> None:
    [add] = expanded(workspace, contract, "more", "reports/**/*.xml", type=MaterialType.JUNIT_XML)

    assert add.pack is not None


@pytest.mark.parametrize("name", ["wheel", "unknown"])
def test_several_files_of_another_type_are_refused_by_name(workspace, contract, name) -> None:
    with pytest.raises(MaterialRejectedError) as caught:
        expanded(workspace, contract, name, "dist/*.whl")

    assert "3 files match dist/*.whl" in caught.value.message
    assert "dist/a.whl, dist/b.whl, dist/c.whl" in caught.value.message
    assert "multiple: true" in (caught.value.hint or "")


def test_of_many_files_the_first_are_named(workspace, contract) -> None:
    for number in range(20):
        (workspace / f"n{number:02}.bin").touch()

    with pytest.raises(MaterialRejectedError, match=r"n00\.bin, .*n09\.bin and 10 more"):
        expanded(workspace, contract, "wheel", "*.bin")


def test_with_multiple_each_file_is_a_material_and_the_first_has_the_entry_s_name(workspace, contract) -> None:
    adds = expanded(workspace, contract, "wheel", "dist/*.whl", multiple=True)

    assert [(add.name, add.value, add.is_further) for add in adds] == [
        ("wheel", "dist/a.whl", False),
        ("wheel-1", "dist/b.whl", True),
        ("wheel-3", "dist/c.whl", True),  # the contract has a wheel-2 of its own
    ]
    assert {add.type for add in adds[1:]} == {MaterialType.ARTIFACT}
    assert [dict(add.annotations) for add in adds] == [{}, {"team": "core"}, {"team": "core"}]


def test_with_multiple_a_name_of_another_entry_is_not_taken(workspace, contract) -> None:
    adds = expanded(workspace, contract, "wheel", "dist/*.whl", ("wheel-1",), multiple=True)

    assert [add.name for add in adds] == ["wheel", "wheel-3", "wheel-4"]


def test_with_multiple_a_file_that_is_named_like_an_entry_of_the_contract_is_that_entry(workspace, contract) -> None:
    for name in ("app-linux", "app-mac.exe"):
        (workspace / "dist" / name).touch()

    adds = expanded(workspace, contract, "apps", "dist/app*", type=MaterialType.ARTIFACT, multiple=True)

    assert [(add.name, add.value) for add in adds] == [("app-linux", "dist/app-linux"), ("app-mac", "dist/app-mac.exe")]


@pytest.mark.parametrize(("name", "word"), [("binary", "an output"), ("secret", "not uploaded")])
def test_with_multiple_what_the_contract_says_of_one_file_is_not_said_of_others(
    workspace, contract, name, word
) -> None:
    with pytest.raises(MaterialRejectedError, match=f"which is {word} by the contract"):
        expanded(workspace, contract, name, "dist/*.whl", multiple=True)


@pytest.mark.parametrize(
    ("name", "value"), [("wheel", "distt/*.whl"), ("unknown", "distt/*.whl"), ("wheel", "dist/aa.whl")]
)
def test_no_match_has_the_pattern_the_folder_and_the_nearest_files(workspace, contract, name, value) -> None:
    with pytest.raises(FileUnreadableError) as caught:
        expanded(workspace, contract, name, value)

    assert value in caught.value.message
    assert str(workspace) in caught.value.message
    assert "the nearest: dist/a.whl" in caught.value.message
    assert "checkout" not in (caught.value.hint or "")


def test_where_nothing_is_like_it_a_forgotten_checkout_is_thought_of(tmp_path: Path, contract) -> None:
    with pytest.raises(FileUnreadableError, match="nothing there has a name like it") as caught:
        expanded(tmp_path, contract, "wheel", "dist/a.whl")

    assert "a file of the repository needs its checkout before this step" in (caught.value.hint or "")


def test_a_pattern_of_unknown_type_that_matches_nothing_is_never_a_text(workspace, contract) -> None:
    with pytest.raises(FileUnreadableError, match="no file matches") as caught:
        expanded(workspace, contract, "unknown", "*.exe")

    assert "--kind STRING" in (caught.value.hint or "")


@pytest.mark.parametrize("value", ["/proc/self/environ", "/proc/self/env*", "../*"])
def test_r22_a_path_or_pattern_that_leads_out_is_refused_by_name(workspace, contract, value) -> None:
    with pytest.raises(PathRefusedError) as caught:
        expanded(workspace, contract, "wheel", value)

    assert value in caught.value.message


def test_a_path_of_the_repository_s_file_is_never_a_text(workspace, contract) -> None:
    assert [add.value for add in expanded(workspace, contract, "unknown", "gone.txt")] == ["gone.txt"]

    with pytest.raises(FileUnreadableError, match=r"there is no file .*gone\.txt") as caught:
        expanded(workspace, contract, "unknown", "gone.txt", is_file=True)

    assert "STRING" not in (caught.value.hint or "")


def test_with_multiple_one_file_beside_those_that_are_entries_of_the_contract_may_be_an_output(
    workspace, contract
) -> None:
    for name in ("app-linux", "app-other"):
        (workspace / "dist" / name).touch()

    adds = expanded(workspace, contract, "binary", "dist/app*", multiple=True)

    assert [(add.name, add.value) for add in adds] == [("app-linux", "dist/app-linux"), ("binary", "dist/app-other")]


def test_with_multiple_a_file_that_is_named_like_its_own_entry_takes_no_name_twice(workspace, contract) -> None:
    for name in ("wheel-0.whl", "wheel.whl"):
        (workspace / "dist" / name).touch()

    adds = expanded(workspace, contract, "wheel", "dist/wheel*", multiple=True)

    assert [add.name for add in adds] == ["wheel", "wheel-1"]


def test_with_multiple_a_file_is_not_the_entry_of_the_contract_that_somebody_else_gave(workspace, contract) -> None:
    (workspace / "dist" / "app-linux").touch()
    (workspace / "dist" / "app-other").touch()

    adds = expanded(workspace, contract, "apps", "dist/app*", ("app-linux",), type=MaterialType.ARTIFACT, multiple=True)

    assert [add.name for add in adds] == ["apps", "apps-1"]


def test_with_multiple_what_the_contract_fixes_wins_over_what_was_typed(workspace, contract) -> None:
    request = MaterialRequest(
        AddRequest("dist/*.whl", "wheel", annotations={"team": "mine", "by": "me"}), multiple=True
    )

    _, further, _ = expand(request, contract, WorkspaceFiles(workspace, {}), (), Notes())

    assert dict(further.annotations) == {"team": "core", "by": "me"}
