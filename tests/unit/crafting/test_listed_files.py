"""Files of a list become the materials of the contract that they can only be; the others are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainloop_ci.cli.workspace_files import WorkspaceFiles
from chainloop_ci.contract.load import load
from chainloop_ci.contract.types import Contract
from chainloop_ci.crafting.add import AddRequest
from chainloop_ci.crafting.content import ContentReader
from chainloop_ci.crafting.file_lists import FileList, ListedFile
from chainloop_ci.crafting.listed_files import Given, ListedFiles, Taken
from chainloop_ci.digests import Digest, sha256_digest
from tests.unit.crafting.memory import Notes

SBOM = b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1}'
REPORT = b'<testsuites><testsuite name="s" tests="1"><testcase name="c"/></testsuite></testsuites>'
WRONG = Digest("sha256:" + "0" * 64)


def contract_of(*materials: str) -> Contract:
    """Return a contract with materials, written `name TYPE`."""
    pairs = [material.split() for material in materials]
    lines = "".join(f"    - {{name: {name}, type: {kind}}}\n" for name, kind in pairs)
    return load(
        b"apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: build}\nspec:\n  materials:\n" + lines.encode()
    ).contract


class Bench:
    """A workspace with files, and what takes lists of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes = Notes()
        self.files: list[ListedFile] = []

    def built(self, path: str, raw: bytes, digest: Digest | None = None) -> None:
        """Write a file and list it."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_bytes(raw)
        self.files.append(ListedFile(path, len(self.files) + 1, digest))

    def take(self, *materials: str, given: Given | None = None, folders: tuple[str, ...] = ()) -> Taken:
        """Take the list for a contract with these materials."""
        files = WorkspaceFiles(self.folder, {})
        listing = FileList("SUMS", folders or (str(self.folder),), tuple(self.files))
        take = ListedFiles(files, ContentReader(files, files), self.notes)
        given = given or Given(frozenset(), frozenset())
        return take([listing], contract_of(*materials), given, AddRequest("", replace=True))

    def names(self, *materials: str) -> dict[str | None, str]:
        """Return what is to be added: the paths by the names."""
        taken = self.take(*materials)
        assert taken.findings == ()
        return {add.name: add.value for add in taken.adds}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize("path", ["dist/binary", "binary.exe", "Binary.tar.gz", "out/BINARY"])
def test_a_file_is_the_material_whose_name_it_has(bench, path) -> None:
    bench.built(path, b"x")

    assert bench.names("binary ARTIFACT", "other ARTIFACT") == {"binary": path}


def test_the_longest_name_counts(bench) -> None:
    bench.built("sbom.cdx.json", SBOM)

    assert bench.names("sbom SBOM_CYCLONEDX_JSON", "sbom-cdx SBOM_CYCLONEDX_JSON") == {"sbom-cdx": "sbom.cdx.json"}


def test_a_file_without_such_a_name_is_the_only_material_of_its_type(bench) -> None:
    bench.built("app-1.2.3.tar.gz", b"app")
    bench.built("bom-1.2.3.json", SBOM)
    bench.built("TEST-all.xml", REPORT)

    assert bench.names("binary ARTIFACT", "sbom SBOM_CYCLONEDX_JSON", "tests JUNIT_XML", "version STRING") == {
        "binary": "app-1.2.3.tar.gz",
        "sbom": "bom-1.2.3.json",
        "tests": "TEST-all.xml",
    }


def test_between_two_entries_of_a_type_nobody_chooses(bench) -> None:
    bench.built("thing", b"x")

    assert bench.names("app ARTIFACT", "image-file ARTIFACT") == {}
    assert "thing of SUMS line 1 is no material of the contract and is not attested" in bench.notes.warnings[0]
    assert "'would_fit': 'app,image-file'" in bench.notes.warnings[0]


def test_between_two_files_of_a_type_nobody_chooses_and_the_nearest_entry_is_told(bench) -> None:
    bench.built("binary-linux", b"x")
    bench.built("binary-mac", b"y")

    assert bench.names("binary ARTIFACT") == {}
    assert "--material binary=binary-linux" in bench.notes.warnings[0]
    assert "--material binary=binary-mac" in bench.notes.warnings[1]


def test_a_signature_beside_its_file_is_not_taken_for_it(bench) -> None:
    for path, raw in (("app.exe.sig", b"s"), ("app.exe", b"x"), ("sbom.json.sig", b"s"), ("sbom.json", SBOM)):
        bench.built(path, raw)

    assert bench.names("app ARTIFACT", "sbom SBOM_CYCLONEDX_JSON") == {"app": "app.exe", "sbom": "sbom.json"}
    assert len(bench.notes.warnings) == 2


def test_a_file_that_is_named_like_one_entry_is_never_another(bench) -> None:
    bench.built("app.sig", b"x")
    bench.built("app", b"y")

    assert bench.names("app ARTIFACT", "other ARTIFACT") == {"app": "app"}


def test_several_reports_are_packed_under_their_paths_in_the_workspace(bench) -> None:
    bench.built("b/TEST-b.xml", REPORT, sha256_digest(REPORT))
    bench.built("a/TEST-a.xml", REPORT)

    [add] = bench.take("tests JUNIT_XML").adds

    assert add.pack is not None
    assert add.pack.filename == "tests.zip"
    assert [(file.name, file.expected) for file in add.pack.files] == [
        ("b/TEST-b.xml", sha256_digest(REPORT)),
        ("a/TEST-a.xml", None),
    ]


def test_a_listed_digest_is_checked_and_goes_with_the_material(bench) -> None:
    bench.built("app", b"x", sha256_digest(b"x"))

    [add] = bench.take("app ARTIFACT").adds

    assert add.expected == sha256_digest(b"x")


def test_the_digest_of_an_image_s_file_is_not_the_image_s(bench) -> None:
    bench.built("image.tar", b"x", sha256_digest(b"x"))

    [add] = bench.take("image CONTAINER_IMAGE").adds

    assert (add.value, add.expected) == ("image.tar", None)


def test_every_file_that_is_not_what_the_list_says_is_refused_with_both_digests(bench) -> None:
    bench.built("app", b"x", WRONG)
    bench.built("unknown", b"y", WRONG)
    bench.built("gone", b"z", WRONG)
    (bench.folder / "gone").unlink()

    taken = bench.take("app ARTIFACT")

    assert taken.adds == ()
    assert [(finding.code, finding.message.partition(":")[0]) for finding in taken.findings] == [
        ("file-unreadable", "SUMS line 3"),
        ("digest-mismatch", "SUMS line 1"),
        ("digest-mismatch", "SUMS line 2"),
    ]
    assert f"app: expected {WRONG}, found {sha256_digest(b'x')}" in taken.findings[1].message


def test_two_lists_that_contradict_each_other_are_refused(bench) -> None:
    bench.built("app", b"x", sha256_digest(b"x"))
    bench.files.append(ListedFile("./app", 2, WRONG))

    [finding] = bench.take("app ARTIFACT").findings

    assert WRONG in finding.message
    assert sha256_digest(b"x") in finding.message


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "/proc/self/environ", "link"])
def test_r22_a_list_leads_nowhere_else(bench, path) -> None:
    outside = bench.folder.parent / "secret"
    outside.write_text("not of this workspace")
    (bench.folder / "link").symlink_to(outside)
    bench.files.append(ListedFile(path))

    [finding] = bench.take("app ARTIFACT").findings

    assert finding.code == "path-refused"
    assert path in finding.message


def test_paths_begin_at_the_list_or_at_the_working_folder(bench) -> None:
    bench.built("dist/app", b"x")
    bench.files.append(ListedFile("other"))
    (bench.folder / "dist" / "other").touch()

    taken = bench.take("app ARTIFACT", folders=(str(bench.folder / "dist"), str(bench.folder)))

    assert [add.value for add in taken.adds] == ["dist/app"]
    assert taken.findings == ()


def test_a_link_in_the_workspace_has_the_name_that_is_listed(bench) -> None:
    bench.built("dist/app-1.2.3", b"x")
    (bench.folder / "binary").symlink_to("dist/app-1.2.3")
    bench.files[:] = [ListedFile("binary")]

    assert bench.names("binary ARTIFACT", "other ARTIFACT") == {"binary": "binary"}


def test_a_file_that_two_names_lead_to_is_one(bench) -> None:
    bench.built("app", b"x")
    bench.files += [ListedFile("./app"), ListedFile("dist/../app"), ListedFile(str(bench.folder / "app"))]
    (bench.folder / "dist").mkdir()

    assert bench.names("binary ARTIFACT") == {"binary": "app"}


def test_a_listed_folder_stands_for_its_files(bench) -> None:
    for path in ("build [1]/app", "build [1]/x/sbom.json"):
        bench.built(path, SBOM if "sbom" in path else b"x")
    bench.files[:] = [ListedFile("build [1]")]

    assert bench.names("app ARTIFACT", "sbom SBOM_CYCLONEDX_JSON") == {
        "app": "build [1]/app",
        "sbom": "build [1]/x/sbom.json",
    }


def test_what_is_a_material_already_is_neither_taken_nor_told(bench) -> None:
    bench.built("app", b"x", sha256_digest(b"x"))
    bench.built("out/sbom.json", SBOM)
    given = Given(frozenset({"sbom", "program"}), frozenset({str(bench.folder / "app")}))

    taken = bench.take("app ARTIFACT", "sbom SBOM_CYCLONEDX_JSON", given=given)

    assert taken.adds == ()
    assert len(bench.notes.warnings) == 1
    assert "out/sbom.json" in bench.notes.warnings[0]


def test_a_given_file_is_checked_all_the_same(bench) -> None:
    bench.built("app", b"x", WRONG)

    taken = bench.take("app ARTIFACT", given=Given(frozenset({"app"}), frozenset({str(bench.folder / "app")})))

    assert [finding.code for finding in taken.findings] == ["digest-mismatch"]


def test_of_many_files_that_are_no_material_the_first_are_told(bench) -> None:
    for number in range(25):
        bench.built(f"f{number}", b"x")

    bench.take("app STRING")

    assert len(bench.notes.warnings) == 21
    assert "5 more files" in bench.notes.warnings[-1]


def test_an_empty_file_is_no_material(bench) -> None:
    bench.built("empty", b"")

    assert bench.names("binary ARTIFACT") == {}
