"""`.chainloop.yml` names attestations and nothing else."""

from __future__ import annotations

import pytest

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.errors import ConfigInvalidError, PathRefusedError
from chainloop_ci.workspace.project_file import (
    MAX_PROJECT_FILE_BYTES,
    ProjectAttestation,
    ProjectMaterial,
    find_project_file,
    load_project_file,
)

COMPLETE = """
projectVersion: v1.2.0
attestations:
  - name: build
    workflow: release
    project: api
    version: v2
    annotations: {team: core}
    materials:
      - {name: sbom, type: SBOM_CYCLONEDX_JSON, path: out/sbom.json, annotations: {k: v}}
      - {name: commit, value: NO}
  - name: docs
"""


def load(folder, text, name=".chainloop.yml"):
    (folder / name).write_text(text)
    return load_project_file(folder / name)


def test_a_complete_file_is_read(tmp_path):
    found = load(tmp_path, COMPLETE)

    assert found.project_version == "v1.2.0"
    assert found.attestations == (
        ProjectAttestation(
            name="build",
            workflow="release",
            project="api",
            version="v2",
            annotations={"team": "core"},
            materials=(
                ProjectMaterial("sbom", MaterialType.SBOM_CYCLONEDX_JSON, path="out/sbom.json", annotations={"k": "v"}),
                ProjectMaterial("commit", value="NO"),
            ),
        ),
        ProjectAttestation(name="docs"),
    )


def test_an_attestation_is_found_by_its_name_and_without_one_only_when_it_is_the_only_one(tmp_path):
    two, one = load(tmp_path, COMPLETE), load(tmp_path, "attestations: [{name: only}]")

    assert two.find_attestation("docs") == ProjectAttestation(name="docs")
    assert two.find_attestation() is None
    assert two.find_attestation("absent") is None
    assert one.find_attestation() == ProjectAttestation(name="only")


@pytest.mark.parametrize("text", ["", "   \n", "{}", "projectVersion: v1"])
def test_a_file_without_attestations_is_fine(tmp_path, text):
    assert load(tmp_path, text).attestations == ()


@pytest.mark.parametrize(
    "field",
    ["controlPlane", "control-plane", "url", "server", "token", "key", "signing_key", "ca", "proxy", "HTTPS_PROXY",
     "index", "extra-index-url", "organization", "insecure"],
)  # fmt: skip
@pytest.mark.parametrize("inside", [False, True])
def test_r21_what_only_an_operator_may_set_is_refused_by_name(tmp_path, field, inside):
    text = f"attestations: [{{name: a, {field}: x}}]" if inside else f"{field}: x"

    with pytest.raises(ConfigInvalidError) as caught:
        load(tmp_path, text)

    assert [finding.code for finding in caught.value.findings] == ["refused-field"]
    assert field in caught.value.message


def test_everything_that_is_wrong_is_listed_with_its_place(tmp_path):
    text = (
        "attestations:\n  - workflow: 5\n    materials:\n"
        "      - {name: a, type: SARF, path: x, value: y}\n    nmae: b\n"
    )

    with pytest.raises(ConfigInvalidError) as caught:
        load(tmp_path, text)

    found = {(finding.code, finding.path, finding.line) for finding in caught.value.findings}
    assert found == {
        ("unknown-field", "/attestations/0/nmae", 5),
        ("missing-field", "/attestations/0", 2),
        ("invalid-field", "/attestations/0/workflow", 2),
        ("invalid-field", "/attestations/0/materials/0", 4),
        ("unknown-type", "/attestations/0/materials/0/type", 4),
    }
    assert "did you mean SARIF" in caught.value.message
    assert "did you mean name" in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "found a list"),
        ("attestations: 5", "expected a list"),
        ("attestations: [text]", "expected fields"),
        ("attestations: [{name: a, annotations: [x]}]", "expected names with texts"),
        ("attestations: [{name: a, materials: [{name: m}]}]", "either a path or a value"),
        ("attestations: [{name: a}, {name: a}]", "stands twice"),
        ("attestations: [{name: a, materials: [{name: m, value: x}, {name: m, value: y}]}]", "stands twice"),
        ("attestations: []\nattestations: []", "stands twice"),
        ("attestations: [", "line 2:1: not YAML"),
        ("\tx: 1", "line 1:1: not YAML"),
        ("x: 1\n---\ny: 2", "second document"),
    ],
)
def test_a_broken_file_says_what_is_wrong(tmp_path, text, message):
    with pytest.raises(ConfigInvalidError, match=message):
        load(tmp_path, text)


def test_a_huge_file_is_refused(tmp_path):
    with pytest.raises(ConfigInvalidError, match="larger than 1024 KiB"):
        load(tmp_path, "#" * (MAX_PROJECT_FILE_BYTES + 1))


LABS = """
attestation:
  - {name: sbom, path: sbom.json}
  - {name: site, path: "dist/*.tar"}
nightly:
  - {name: report, path: out/report.xml}
"""


def test_the_form_of_chainloop_labs_is_an_attestation_of_the_list_s_name(tmp_path):
    found = load(tmp_path, LABS)

    assert found.find_attestation("nightly") == ProjectAttestation(
        "nightly", materials=(ProjectMaterial("report", path="out/report.xml"),), labs=True
    )


def test_the_usual_list_of_chainloop_labs_needs_no_name(tmp_path):
    found = load(tmp_path, LABS)

    assert found.find_attestation() is found.attestations[0]
    assert [material.path for material in found.attestations[0].materials] == ["sbom.json", "dist/*.tar"]


def test_beside_attestations_of_ours_a_list_of_chainloop_labs_is_chosen_by_name_only(tmp_path):
    found = load(tmp_path, f"{LABS}attestations: [{{name: build}}]")

    assert found.find_attestation() is None
    assert found.find_attestation("attestation") is not None


def test_a_name_in_both_forms_is_refused(tmp_path):
    with pytest.raises(ConfigInvalidError, match="nightly is one of the attestations too"):
        load(tmp_path, f"{LABS}attestations: [{{name: nightly}}]")


def test_a_material_that_stands_twice_in_a_list_of_chainloop_labs_is_refused(tmp_path):
    with pytest.raises(ConfigInvalidError, match="the name a stands twice"):
        load(tmp_path, "attestation: [{name: a, path: x}, {name: a, path: y}]")


def test_several_files_of_one_entry_are_asked_for(tmp_path):
    found = load(tmp_path, "attestations: [{name: a, materials: [{name: m, path: 'dist/*', multiple: true}]}]")

    assert found.attestations[0].materials == (ProjectMaterial("m", path="dist/*", multiple=True),)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("path: x, multiple: yes", "expected true or false, found a text"),
        ("value: x, multiple: true", "only a path can match several files"),
    ],
)
def test_what_asks_for_several_files_in_a_wrong_way_is_refused(tmp_path, entry, message):
    with pytest.raises(ConfigInvalidError, match=message):
        load(tmp_path, f"attestations: [{{name: a, materials: [{{name: m, {entry}}}]}}]")


def test_ten_attestations_of_a_monorepo_are_told_apart_by_name(tmp_path):
    names = [f"service-{number}" for number in range(10)]
    entries = "".join(
        f"  - {{name: {name}, workflow: {name}, materials: [{{name: binary, path: {name}/app}}]}}\n" for name in names
    )

    found = load(tmp_path, f"attestations:\n{entries}")

    assert found.find_attestation() is None
    for name in names:
        entry = found.find_attestation(name)
        assert entry is not None
        assert (entry.workflow, entry.materials[0].path) == (name, f"{name}/app")


def test_r22_a_project_file_that_is_a_link_out_of_its_folder_is_refused(tmp_path):
    (tmp_path / "secret").write_text("projectVersion: stolen")
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / ".chainloop.yml").symlink_to(tmp_path / "secret")

    with pytest.raises(PathRefusedError):
        load_project_file(folder / ".chainloop.yml")


def test_the_file_is_found_upward_until_the_folder_of_the_repository(tmp_path):
    (tmp_path / ".chainloop.yml").touch()
    repository = tmp_path / "repository"
    (repository / "src").mkdir(parents=True)

    assert find_project_file(repository / "src") == tmp_path / ".chainloop.yml"

    (repository / ".git").mkdir()
    assert find_project_file(repository / "src") is None


def test_the_longer_ending_wins_and_the_nearest_folder_before_it(tmp_path):
    (tmp_path / "inner").mkdir()
    for path in (".chainloop.yml", ".chainloop.yaml", "inner/.chainloop.yml"):
        (tmp_path / path).touch()

    assert find_project_file(tmp_path) == tmp_path / ".chainloop.yaml"
    assert find_project_file(tmp_path / "inner") == tmp_path / "inner" / ".chainloop.yml"


@pytest.mark.parametrize("name", ["chainloop.x", "Chainloop.x"])
def test_a_reserved_annotation_is_refused_in_every_case(tmp_path, name):
    path = tmp_path / ".chainloop.yml"
    path.write_text(f"attestations: [{{name: build, annotations: {{{name}: x}}}}]")

    with pytest.raises(ConfigInvalidError, match="reserved") as caught:
        load_project_file(path)

    assert [finding.code for finding in caught.value.findings] == ["reserved-annotation"]
