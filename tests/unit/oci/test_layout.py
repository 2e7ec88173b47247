"""Images from OCI layouts on disk (reference section 3.4)."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import BinaryIO

import pytest

from chainloop_ci.attestation.state import ImageReference
from chainloop_ci.errors import ImageUnresolvedError, MaterialRejectedError
from chainloop_ci.oci.resolve import resolve_image
from tests.unit.oci.layouts import MANIFEST, Layout

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "image")


def resolve(layout: Layout, value: str = "image") -> ImageReference:
    return resolve_image(value, env={}, cwd=layout.folder.parent)


def refused(layout: Layout, value: str = "image") -> ImageUnresolvedError:
    with pytest.raises(ImageUnresolvedError) as caught:
        resolve(layout, value)
    return caught.value


# --- which image, which name ------------------------------------------------------------------------------------------


def test_skopeo_s_form_with_a_tag_is_told_how_an_image_is_named(layout: Layout):
    layout.add(layout.manifest(), ref="v1")

    error = refused(layout, "./image:v1")

    assert error.message == "./image:v1 does not exist; ./image is an OCI layout"
    assert ": ./image@sha256:<digest>" in str(error.hint)


def test_the_only_image_needs_no_digest(layout: Layout):
    digest = layout.add(layout.manifest(), ref="1.2", full="docker.io/acme/app:1.2")

    image = resolve(layout)

    assert image == ImageReference("oci-layout:1.2", digest, tag="1.2")


@pytest.mark.parametrize(
    ("annotations", "name", "tag", "latest"),
    [
        ({}, "oci-layout:unknown", "", False),
        ({"ref": "v1"}, "oci-layout:v1", "", False),
        ({"base": "docker.io/library/debian:12"}, "oci-layout:docker.io/library/debian:12", "", False),
        ({"ref": "latest", "full": "ghcr.io/acme/app:latest"}, "oci-layout:latest", "latest", True),
        ({"ref": "a\x1b[31m"}, "oci-layout:unknown", "", False),
        ({"ref": "v1", "full": "Not A Name"}, "oci-layout:v1", "", False),
    ],
)
def test_name_and_tag_come_from_annotations(
    layout: Layout, annotations: dict[str, str], name: str, tag: str, latest: bool
):
    layout.add(layout.manifest(), **annotations)

    image = resolve(layout)

    assert (image.name, image.tag, image.has_latest_tag) == (name, tag, latest)


def test_several_images_need_a_digest_and_are_all_named(layout: Layout):
    first = layout.add(layout.manifest(b"one"), ref="one")
    second = layout.add({**layout.manifest(b"two"), "platform": {"os": "linux", "architecture": "arm64"}}, ref="two")

    error = refused(layout)

    assert [finding.message for finding in error.findings] == [f"{first} (one)", f"{second} (two, linux/arm64)"]
    assert f": image@{first}" in (error.hint or "")


def test_the_digest_says_which_image(layout: Layout):
    layout.add(layout.manifest(b"one"), ref="one")
    digest = layout.add(layout.manifest(b"two"), ref="two")

    image = resolve(layout, f"image@{digest}")

    assert (image.digest, image.name) == (digest, "oci-layout:two")


def test_one_image_with_two_names_is_one_image(layout: Layout):
    digest = layout.add(layout.manifest(), full="acme/app:1.2")
    layout.add(layout.manifest(), full="acme/app:latest")

    image = resolve(layout)

    assert (image.digest, image.tag, image.has_latest_tag) == (digest, "1.2", True)


def test_a_digest_that_is_not_there_is_refused_with_those_that_are(layout: Layout):
    digest = layout.add(layout.manifest(), ref="one")

    assert digest in refused(layout, f"image@{DIGEST}").message


def test_an_image_for_several_platforms_keeps_the_digest_of_its_index(layout: Layout):
    digest = layout.add(layout.index(layout.manifest(b"amd"), layout.manifest(b"arm")))

    assert resolve(layout).digest == digest


def test_a_folder_with_an_at_sign_in_its_name_is_found(tmp_path: Path):
    layout = Layout(tmp_path / "image@home")
    digest = layout.add(layout.manifest())

    assert resolve(layout, "image@home").digest == digest
    assert resolve(layout, f"image@home@{digest}").digest == digest


# --- content ----------------------------------------------------------------------------------------------------------


def test_every_blob_that_is_not_what_its_digest_says_is_named(layout: Layout):
    digest = layout.add(layout.manifest(b"layer"))
    manifest = json.loads(layout.path(digest).read_bytes())
    layer, config = manifest["layers"][0]["digest"], manifest["config"]["digest"]
    layout.path(layer).write_bytes(b"reyal")
    layout.path(config).unlink()

    error = refused(layout)

    found = {finding.path: finding.message for finding in error.findings}
    assert set(found) == {layer, config}
    assert "its content has the digest" in found[layer]
    assert "no such blob" in found[config]


@pytest.mark.parametrize(("content", "said"), [(b"lay", "expected 5 bytes, found 3"), (b"layer+", "found more")])
def test_a_blob_of_another_size_is_refused(layout: Layout, content: bytes, said: str):
    digest = layout.add(layout.manifest(b"layer"))
    layer = json.loads(layout.path(digest).read_bytes())["layers"][0]["digest"]
    layout.path(layer).write_bytes(content)

    assert said in refused(layout).message


def test_a_manifest_that_was_changed_is_refused(layout: Layout):
    digest = layout.add(layout.manifest())
    layout.path(digest).write_bytes(layout.path(digest).read_bytes().replace(b"linux", b"minix").replace(b"2", b"3", 1))

    assert digest in refused(layout).message


@pytest.mark.parametrize("raw", [b'{"layers": ' + b"[" * 200_000, b"[]", b"no manifest", b""])
def test_t27_a_manifest_that_is_no_json_object_is_refused(layout: Layout, raw: bytes):
    digest = layout.add(layout.blob(raw, MANIFEST))

    error = refused(layout)

    assert [finding.code for finding in error.findings] == ["blob-invalid"]
    assert error.findings[0].message == f"{digest}: expected a manifest, found no JSON object"


def test_a_manifest_below_an_index_that_is_none_is_refused(layout: Layout):
    broken = layout.blob(b"no manifest", MANIFEST)
    layout.add(layout.index(layout.manifest(), broken))

    error = refused(layout)

    assert [finding.path for finding in error.findings] == [broken["digest"]]


def test_a_changed_layer_below_an_index_is_found(layout: Layout):
    child = layout.manifest(b"layer")
    layout.add(layout.index(child))
    layer = json.loads(layout.path(child["digest"]).read_bytes())["layers"][0]["digest"]
    layout.path(layer).write_bytes(b"reyal")

    assert layer in refused(layout).message


def test_a_layout_may_hold_some_platforms_of_an_index_only(layout: Layout):
    present, absent = layout.manifest(b"amd"), layout.manifest(b"arm")
    digest = layout.add(layout.index(present, absent))
    layout.path(absent["digest"]).unlink()

    assert resolve(layout).digest == digest


def test_a_layer_that_is_to_be_had_elsewhere_may_be_missing(layout: Layout):
    descriptor = layout.manifest(b"windows", urls=["https://example.com/layer"])
    digest = layout.add(descriptor)
    layer = json.loads(layout.path(digest).read_bytes())["layers"][0]["digest"]
    layout.path(layer).unlink()

    assert resolve(layout).digest == digest


@pytest.mark.parametrize("optional_first", [True, False])
def test_a_layer_that_one_image_needs_is_not_missing_because_another_does_not(layout: Layout, optional_first: bool):
    lax, strict = layout.manifest(urls=["https://example.com/layer"]), layout.manifest()
    layout.add(layout.index(*((lax, strict) if optional_first else (strict, lax))))
    layout.path("sha256:" + hashlib.sha256(b"layer").hexdigest()).unlink()

    assert "there is no such blob" in refused(layout).message


def test_a_layer_of_many_images_is_read_once(layout: Layout):
    read: list[str] = []

    def open_file(path: Path) -> BinaryIO:
        read.append(path.name)
        return path.open("rb")

    first = layout.manifest()
    layout.add(layout.index(first, {**first, "platform": {"os": "linux"}}, layout.index(first)))

    resolve_image("image", env={}, cwd=layout.folder.parent, open_file=open_file)

    assert len(read) == len(set(read))


def test_an_index_in_an_index_in_an_index_has_an_end(layout: Layout):
    descriptor = layout.manifest()
    for _ in range(6):
        descriptor = layout.index(descriptor)
    layout.add(descriptor)

    assert "nested deeper" in refused(layout).message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("oci-layout", "{}"),
        ("oci-layout", '{"imageLayoutVersion": "2.0.0"}'),
        ("oci-layout", "no json"),
        ("index.json", "[]"),
        ("index.json", '{"manifests": []}'),
        ("index.json", '{"manifests": {"a": 1}}'),
        ("index.json", '{"manifests": [{"digest": "sha256:../../etc/passwd", "size": 3}]}'),
        ("index.json", '{"manifests": [{"digest": "md5:00", "size": 3}]}'),
        ("index.json", "[" * 100_000),
    ],
)
def test_what_is_no_layout_is_refused_with_how_to_make_one(layout: Layout, name: str, content: str):
    layout.add(layout.manifest())
    (layout.folder / name).write_text(content)

    error = refused(layout)

    assert "no OCI image layout" in error.message
    assert "type=oci" in (error.hint or "")


def test_a_layout_without_an_index_is_refused(layout: Layout):
    assert "there is no index.json" in refused(layout).message


def test_a_descriptor_without_a_size_is_refused(layout: Layout):
    layout.add({**layout.manifest(), "size": "9"})

    assert "expected a sha256 or sha512 digest and a size" in refused(layout).message


def test_r22_the_way_in_opens_every_file(layout: Layout):
    opened: list[str] = []
    layout.add(layout.manifest())

    def note(path: Path):
        opened.append(path.name)
        return path.open("rb")

    resolve_image("image", env={}, cwd=layout.folder.parent, open_file=note)

    assert len(opened) == 5


# --- archives ---------------------------------------------------------------------------------------------------------


def test_a_tar_of_a_layout_is_a_layout(layout: Layout):
    digest = layout.add(layout.manifest(), ref="1.2")
    layout.pack(layout.folder.parent / "image.tar")

    assert resolve(layout, "image.tar") == ImageReference("oci-layout:1.2", digest)
    assert resolve(layout, f"image.tar@{digest}").digest == digest


def test_a_changed_blob_in_a_tar_is_found(layout: Layout):
    digest = layout.add(layout.manifest(b"layer"))
    layer = json.loads(layout.path(digest).read_bytes())["layers"][0]["digest"]
    layout.path(layer).write_bytes(b"reyal")
    layout.pack(layout.folder.parent / "image.tar")

    assert layer in refused(layout, "image.tar").message


def test_a_large_index_in_a_tar_is_read(layout: Layout):
    layout.add(layout.manifest())
    index = layout.folder / "index.json"
    index.write_text(index.read_text() + " " * 3_000_000)
    layout.pack(layout.folder.parent / "image.tar")

    assert resolve(layout, "image.tar").name == "oci-layout:unknown"


def test_the_old_form_of_docker_save_has_no_digest_and_says_what_has(layout: Layout, tmp_path: Path):
    with tarfile.open(tmp_path / "old.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("manifest.json"), io.BytesIO(b""))

    error = refused(layout, "old.tar")

    assert "no manifest" in error.message
    assert "skopeo copy docker-archive:old.tar oci:image" in (error.hint or "")


def test_a_compressed_archive_is_refused_with_the_command(layout: Layout, tmp_path: Path):
    (tmp_path / "image.tar.gz").write_bytes(b"\x1f\x8b" + bytes(600))

    assert refused(layout, "image.tar.gz").hint == "gunzip -k image.tar.gz"


def test_a_tar_that_is_cut_is_refused(layout: Layout, tmp_path: Path):
    layout.add(layout.manifest(b"x" * 100_000))
    whole = layout.pack(tmp_path / "whole.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])

    assert "cut.tar" in refused(layout, "cut.tar").message


def test_t27_a_header_that_claims_a_huge_size_is_not_read(layout: Layout, tmp_path: Path):
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 8 * 1024**3
    (tmp_path / "bomb.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(10240))

    assert "claims" in refused(layout, "bomb.tar").message


def test_links_in_a_tar_are_not_followed(layout: Layout, tmp_path: Path):
    with tarfile.open(tmp_path / "links.tar", "w") as tar:
        for name in ("oci-layout", "index.json"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(link)

    with pytest.raises(MaterialRejectedError, match=r"links\.tar is neither an OCI layout"):
        resolve(layout, "links.tar")
