"""One material in the crafting state's document. Source: reference section 3.6."""

from __future__ import annotations

from chainloop_ci.attestation.dsse import encode_base64
from chainloop_ci.attestation.fields import Fields, present
from chainloop_ci.attestation.state import CraftedMaterial, ImageReference
from chainloop_ci.attestation.times import render_time
from chainloop_ci.contract.annotations import MATERIAL_PREFIX
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.materials.types import MainComponent

SIZE_ANNOTATION = f"{MATERIAL_PREFIX}size"
"""Where the Go product keeps the size in bytes, as text."""


def material_document(material: CraftedMaterial) -> dict[str, object]:
    """Return the document form of a material; false and empty are left out."""
    annotations = {**material.annotations, **_size_annotation(material)}
    return present(
        {
            "id": material.name,
            "materialType": material.type.value,
            "addedAt": render_time(material.added_at),
            **_content_document(material),
            "annotations": annotations,
            "required": material.required,
            "output": material.output,
            "uploadedToCas": material.uploaded,
            "inlineCas": material.inline is not None,
        }
    )


def read_material(name: str, fields: Fields, skip_upload: bool) -> CraftedMaterial | None:
    """Return the material that a document describes, or None with findings."""
    kind = fields.choice("materialType", MaterialType)
    if "materialType" not in fields:
        fields.report("materialType", "expected the material's type, found none", "missing-field")
    added_at = fields.time("addedAt")
    if added_at is None:
        fields.report("addedAt", "expected the time of adding, found none", "missing-field")
    value, digest = _read_value(fields.child("string")) if "string" in fields else (None, None)
    image = _read_image(fields.child("containerImage")) if "containerImage" in fields else None
    sbom = fields.child("sbomArtifact")
    artifact = sbom.child("artifact") if "sbomArtifact" in fields else fields.child("artifact")
    digest = digest or (image.digest if image else artifact.digest("digest"))
    if digest is None:
        fields.report("artifact", "expected the material's digest, found none", "missing-field")
    annotations = fields.texts("annotations")
    size = annotations.pop(SIZE_ANNOTATION, None)
    if kind is None or added_at is None or digest is None:
        return None
    return CraftedMaterial(
        name=name,
        type=kind,
        digest=digest,
        added_at=added_at,
        value=value,
        filename=image.name if image else artifact.text("name") or None,
        size_bytes=int(size) if size and size.isascii() and size.isdigit() else None,
        image=image,
        main_component=_read_component(sbom.child("mainComponent")) if "mainComponent" in sbom else None,
        annotations=annotations,
        output=fields.flag("output") or _is_subject(fields, artifact),
        required=fields.flag("required"),
        uploaded=fields.flag("uploadedToCas"),
        inline=(artifact.binary("content") or b"") if fields.flag("inlineCas") else None,
        skip_upload=skip_upload,
    )


def _is_subject(fields: Fields, artifact: Fields) -> bool:
    """Tell what states of 2023 say in the content only."""
    return artifact.flag("isSubject") or fields.child("containerImage").flag("isSubject")


def _size_annotation(material: CraftedMaterial) -> dict[str, str]:
    return {} if material.size_bytes is None else {SIZE_ANNOTATION: str(material.size_bytes)}


def _content_document(material: CraftedMaterial) -> dict[str, object]:
    if material.value is not None:
        return {"string": {"id": material.name, "value": material.value, "digest": str(material.digest)}}
    if material.image is not None:
        return {"containerImage": _image_document(material, material.image)}
    artifact = present(
        {
            "id": material.name,
            "name": material.filename,
            "digest": str(material.digest),
            "isSubject": material.output,
            "content": encode_base64(material.inline) if material.inline else None,
        }
    )
    if material.main_component is None:
        return {"artifact": artifact}
    component = material.main_component
    described = present({"name": component.name, "version": component.version, "kind": component.kind})
    return {"sbomArtifact": {"artifact": artifact, "mainComponent": described}}


def _image_document(material: CraftedMaterial, image: ImageReference) -> dict[str, object]:
    return present(
        {
            "id": material.name,
            "name": image.name,
            "digest": str(image.digest),
            "tag": image.tag,
            "isSubject": material.output,
            "hasLatestTag": image.has_latest_tag,
        }
    )


def _read_value(string: Fields) -> tuple[str, Digest]:
    value = string.text("value")
    # Older states hold the value only.
    return value, string.digest("digest") or sha256_digest(value.encode("utf-8", "surrogatepass"))


def _read_image(image: Fields) -> ImageReference | None:
    digest = image.digest("digest")
    if digest is None:
        return None
    return ImageReference(
        name=image.text("name"),
        digest=digest,
        tag=image.text("tag"),
        has_latest_tag=image.flag("hasLatestTag"),
    )


def _read_component(component: Fields) -> MainComponent:
    return MainComponent(name=component.text("name"), version=component.text("version"), kind=component.text("kind"))
