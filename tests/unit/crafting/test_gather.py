"""Everything that names files comes together: names do not meet, and what is wrong with one stops no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chainloop_ci.cli.workspace_files import WorkspaceFiles
from chainloop_ci.contract.types import Contract, ContractMaterial, MaterialType
from chainloop_ci.crafting.add import AddRequest
from chainloop_ci.crafting.content import ContentReader
from chainloop_ci.crafting.expanding import MaterialRequest
from chainloop_ci.crafting.file_lists import FileList, ListedFile
from chainloop_ci.crafting.gather import Gather, Gathered, WantedFiles
from chainloop_ci.crafting.listed_files import ListedFiles
from tests.unit.crafting.memory import Notes

CONTRACT = Contract(
    materials=(ContractMaterial("wheel", MaterialType.ARTIFACT), ContractMaterial("notes", MaterialType.ARTIFACT))
)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    for name in ("a.whl", "b.whl", "notes"):
        (tmp_path / name).write_text(name)
    return tmp_path


def wanted(name: str, value: str, **facts: bool) -> MaterialRequest:
    return MaterialRequest(AddRequest(value, name), **facts)


def gather(folder: Path, notes: Notes | None = None, **requests: tuple[object, ...]) -> Gathered:
    """Gather what is asked for from one folder."""
    notes = notes or Notes()
    files = WorkspaceFiles(folder, {})
    take_lists = ListedFiles(files, ContentReader(files, files), notes)
    return Gather(typed=files, workspace=files, take_lists=take_lists, report=notes)(CONTRACT, WantedFiles(**requests))


def test_a_number_never_gives_a_name_that_another_entry_has(workspace) -> None:
    found = gather(workspace, listed=(wanted("wheel", "*.whl", multiple=True),), typed=(wanted("wheel-1", "notes"),))

    assert [add.name for add in (*found.listed, *found.typed)] == ["wheel", "wheel-2", "wheel-1"]


def test_a_name_of_the_contract_that_one_entry_has_taken_is_not_taken_by_another(workspace) -> None:
    (workspace / "deep").mkdir()
    for name in ("nothing", "deep/notes", "deep/other"):
        (workspace / name).touch()
    first, other = (
        MaterialRequest(AddRequest(value, name, type=MaterialType.ARTIFACT), multiple=True)
        for name, value in (("first", "no*"), ("other", "deep/*"))
    )

    found = gather(workspace, listed=(first, other))

    assert [add.name for add in found.listed] == ["notes", "first", "other", "other-1"]


def test_what_is_wrong_with_one_entry_stops_no_other(workspace) -> None:
    found = gather(workspace, listed=(wanted("wheel", "*.whl"), wanted("gone", "*.gone"), wanted("notes", "n*")))

    assert set(found.refused) == {"wheel", "gone"}
    assert [add.value for add in found.listed] == ["notes"]


def test_lists_feed_only_what_nobody_gave(workspace) -> None:
    notes = Notes()
    listing = FileList("list", (str(workspace),), (ListedFile("notes"), ListedFile("a.whl")))

    found = gather(workspace, notes, typed=(wanted("wheel", "a*"),), lists=(listing,))

    assert [(add.name, add.value) for add in found.listed] == [("notes", "notes")]
    assert notes.warnings == []


def test_lists_do_not_feed_what_was_packed(workspace) -> None:
    notes = Notes()
    for name in ("a.xml", "b.xml"):
        (workspace / name).write_text("<testsuites/>")
    listing = FileList("list", (str(workspace),), (ListedFile("a.xml"), ListedFile("b.xml")))
    packed = MaterialRequest(AddRequest("*.xml", "tests", type=MaterialType.JUNIT_XML))

    found = gather(workspace, notes, typed=(packed,), lists=(listing,))

    assert ([add.name for add in found.typed], found.listed, notes.warnings) == (["tests"], (), [])


def test_a_list_does_not_replace_what_was_refused(workspace) -> None:
    listing = FileList("list", (str(workspace),), (ListedFile("notes"),))

    found = gather(workspace, typed=(wanted("notes", "*.gone"),), lists=(listing,))

    assert (found.listed, set(found.refused)) == ((), {"notes"})


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may list everything")
def test_a_folder_that_may_not_be_listed_is_a_warning(workspace) -> None:
    notes = Notes()
    (workspace / "closed").mkdir(mode=0)

    gather(workspace, notes, typed=(wanted("notes", "**/notes"),))

    assert "may not be listed" in notes.warnings[0]
