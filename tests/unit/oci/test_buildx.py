"""What buildx writes about a build (`--metadata-file`)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chainloop_ci.attestation.state import ImageReference
from chainloop_ci.errors import ImageUnresolvedError, MaterialRejectedError
from chainloop_ci.oci.resolve import resolve_image

ONE = "sha256:" + "1" * 64
TWO = "sha256:" + "2" * 64


def resolve(folder: Path, document: object, value: str = "metadata.json") -> ImageReference:
    (folder / "metadata.json").write_text(json.dumps(document, indent=2))
    return resolve_image(value, env={}, cwd=folder)


def build(digest: str = ONE, name: str | None = "ghcr.io/acme/app:1.2") -> dict[str, object]:
    document: dict[str, object] = {"buildx.build.ref": "b/b/x", "containerimage.digest": digest}
    return document if name is None else {**document, "image.name": name}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ghcr.io/acme/app:1.2", ImageReference("ghcr.io/acme/app", ONE, "1.2")),
        ("docker.io/library/app", ImageReference("index.docker.io/library/app", ONE, "latest", has_latest_tag=True)),
        ("acme/app:1.2,acme/app:latest", ImageReference("index.docker.io/acme/app", ONE, "1.2", has_latest_tag=True)),
    ],
)
def test_digest_and_name_are_those_of_the_build(tmp_path: Path, name: str, expected: ImageReference):
    assert resolve(tmp_path, build(name=name)) == expected


def test_one_target_of_bake_is_one_build(tmp_path: Path):
    assert resolve(tmp_path, {"app": build(), "buildx.build.warnings": []}).digest == ONE


def test_several_targets_of_bake_need_a_digest_and_are_all_named(tmp_path: Path):
    document = {"app": build(), "web": build(TWO, "acme/web:1")}

    with pytest.raises(ImageUnresolvedError) as caught:
        resolve(tmp_path, document)

    assert [finding.message for finding in caught.value.findings] == [f"{ONE} (app)", f"{TWO} (web)"]
    assert resolve(tmp_path, document, f"metadata.json@{TWO}").name == "index.docker.io/acme/web"


@pytest.mark.parametrize("name", [None, "", "UPPER/case"])
def test_a_build_without_a_name_is_refused_with_what_to_do(tmp_path: Path, name: str | None):
    with pytest.raises(ImageUnresolvedError, match="expected the image's name") as caught:
        resolve(tmp_path, build(name=name))

    assert "--tag" in (caught.value.hint or "")


def test_a_digest_of_another_kind_is_refused(tmp_path: Path):
    with pytest.raises(ImageUnresolvedError, match="no sha256 digest"):
        resolve(tmp_path, build("sha512:00"))


@pytest.mark.parametrize("document", [{"name": "app"}, ["containerimage.digest"], "containerimage.digest"])
def test_another_json_file_is_no_image(tmp_path: Path, document: object):
    with pytest.raises(MaterialRejectedError, match="neither an OCI layout"):
        resolve(tmp_path, document)


def test_a_file_that_does_not_exist_is_not_asked_for_at_a_registry(tmp_path: Path):
    with pytest.raises(ImageUnresolvedError, match=r"absent\.json does not exist") as caught:
        resolve_image("absent.json", env={}, cwd=tmp_path)

    assert "push the image before this step" in (caught.value.hint or "")


def test_a_tool_in_the_folder_does_not_stand_in_the_way_of_an_image_of_its_name(tmp_path: Path):
    (tmp_path / "app").write_bytes(b"\x7fELF")

    assert resolve_image(f"app@{ONE}", env={}, cwd=tmp_path).name == "index.docker.io/library/app"
