"""An image from an OCI layout: which one, its names, and whether its content is what its digests say.

Sources: reference section 3.4 step 1; OCI image format specification 1.1: image-layout.md, image-index.md, manifest.md,
annotations.md.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from chainloop_ci.attestation.state import ImageReference
from chainloop_ci.digests import is_digest, parse_digest
from chainloop_ci.errors import Finding, Findings, ImageUnresolvedError
from chainloop_ci.materials.image_name import parse_image_name
from chainloop_ci.oci.blobs import CHUNK_BYTES, Blobs
from chainloop_ci.oci.place import LAYOUT_FILE
from chainloop_ci.oci.registry import MAX_MANIFEST_BYTES

MAX_DEPTH = 4
"""Of indexes in indexes."""
MAX_DESCRIPTORS = 20_000
_REF_NAME = "org.opencontainers.image.ref.name"
_BASE_NAME = "org.opencontainers.image.base.name"
_FULL_NAME = "io.containerd.image.name"
_ALGORITHMS = {"sha256": 64, "sha512": 128}
_SHOWN = 20

Descriptor = Mapping[str, Any]


def read_layout(blobs: Blobs, place: str, wanted: str) -> ImageReference:
    """Return the image of a layout; `wanted` is the digest that was asked for, empty when there is only one.

    Raises:
        ImageUnresolvedError: no layout, several images and no digest, no such digest, or content that is not what its
            digest says: `findings` lists every blob.
    """
    version = _json(blobs, LAYOUT_FILE, place).get("imageLayoutVersion")
    if not str(version).startswith("1."):
        raise _broken(place, f"expected imageLayoutVersion 1, found {str(version)[:20]!r}")
    descriptors = _images(_json(blobs, "index.json", place), place)
    chosen = _choose(descriptors, place, wanted)
    _require_content(blobs, chosen[0], place)
    return _reference(chosen)


def _images(index: Mapping[str, Any], place: str) -> Sequence[Descriptor]:
    listed = index.get("manifests")
    found = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    wrong = [item for item in found if not is_digest(str(item.get("digest", "")))]
    if not found or wrong:
        what = f"the digest {str(wrong[0].get('digest'))[:80]!r}" if wrong else "no manifest"
        raise _broken(place, f"expected manifests with sha256 digests in index.json, found {what}")
    return found


def _choose(descriptors: Sequence[Descriptor], place: str, wanted: str) -> list[Descriptor]:
    """Return the entries of one image: it stands there once for each of its names."""
    digests = list(dict.fromkeys(str(item["digest"]) for item in descriptors))
    findings = [Finding("image", _label(digest, descriptors)) for digest in digests[:_SHOWN]]
    shown = "; ".join(finding.message for finding in findings) + ("; …" if len(digests) > _SHOWN else "")
    if not wanted and len(digests) > 1:
        raise ImageUnresolvedError(
            f"{place} holds {len(digests)} images: {shown}",
            hint=f"say which by its digest: {place}@{digests[0]}",
            findings=findings,
        )
    wanted = wanted or digests[0]
    if wanted not in digests:
        raise ImageUnresolvedError(
            f"{place} holds no image {wanted[:80]}, only {shown}", hint="check the digest", findings=findings
        )
    return [item for item in descriptors if item["digest"] == wanted]


def _label(digest: str, descriptors: Sequence[Descriptor]) -> str:
    names = [_annotation(item, _FULL_NAME) or _annotation(item, _REF_NAME) for item in descriptors
             if item["digest"] == digest]  # fmt: skip
    platform = next((item.get("platform") for item in descriptors if item["digest"] == digest), None)
    if isinstance(platform, dict):
        names.append("/".join(str(platform.get(key, "?"))[:20] for key in ("os", "architecture")))
    told = ", ".join(name for name in names if name)
    return f"{digest} ({told})" if told else digest


def _annotation(descriptor: Descriptor, name: str) -> str:
    annotations = descriptor.get("annotations")
    text = annotations.get(name) if isinstance(annotations, dict) else None
    printable = isinstance(text, str) and text.isprintable()
    return str(text)[:255] if printable else ""


def _reference(entries: Sequence[Descriptor]) -> ImageReference:
    names = [_annotation(item, _REF_NAME) or _annotation(item, _BASE_NAME) for item in entries]
    full = [parse_image_name(_annotation(item, _FULL_NAME)) for item in entries]
    tags = list(dict.fromkeys(name.tag for name in full if name and name.tag))
    return ImageReference(
        name=f"oci-layout:{next((name for name in names if name), 'unknown')}",
        digest=parse_digest(str(entries[0]["digest"])),
        tag=tags[0] if tags else "",
        has_latest_tag="latest" in tags,
    )


# --- content ---------------------------------------------------------------------------------------------------------


def _require_content(blobs: Blobs, root: Descriptor, place: str) -> None:
    """Check every blob that the image is made of against its digest and size."""
    findings = Findings()
    # What one image may lack another may need: it is looked at again then.
    seen: set[tuple[str, bool]] = set()
    todo: list[tuple[Descriptor, bool, int]] = [(root, True, 0)]
    while todo:
        descriptor, required, depth = todo.pop()
        name = str(descriptor.get("digest", ""))
        if not seen.isdisjoint({(name, True), (name, required)}):
            continue
        seen.add((name, required))
        if len(seen) > MAX_DESCRIPTORS or depth > MAX_DEPTH:
            raise _broken(place, f"more than {MAX_DESCRIPTORS} blobs, or indexes nested deeper than {MAX_DEPTH}")
        why, raw = _check(blobs, descriptor, keep=depth <= MAX_DEPTH and _has_references(descriptor))
        if not why and (depth == 0 or _is_manifest(descriptor)) and not _parse(raw):
            why = "expected a manifest, found no JSON object"
        if why and (required or why != _MISSING):
            findings.append(Finding("blob-invalid", f"{name[:150]}: {why}", path=name[:150]))
        todo += [(item, needed, depth + 1) for item, needed in _references(raw)]
    if findings:
        listed = "; ".join(finding.message for finding in findings[:5])
        raise ImageUnresolvedError(
            f"the image in {place} is not what its digests say: {listed}",
            hint="build it again; a layout must not change after it was written",
            findings=findings,
        )


_MISSING = "there is no such blob"


def _has_references(descriptor: Descriptor) -> bool:
    return _is_manifest(descriptor) or not _kind(descriptor)


def _is_manifest(descriptor: Descriptor) -> bool:
    return _kind(descriptor).endswith((".manifest.v1", ".index.v1", ".manifest.v2", ".manifest.list.v2"))


def _kind(descriptor: Descriptor) -> str:
    return str(descriptor.get("mediaType", "")).partition("+")[0]


def _check(blobs: Blobs, descriptor: Descriptor, *, keep: bool) -> tuple[str, bytes]:
    """Return what is wrong with a blob, and its bytes when they are to be kept."""
    algorithm, _, digits = str(descriptor.get("digest", "")).partition(":")
    size = descriptor.get("size")
    if not re.fullmatch("[0-9a-f]+", digits) or len(digits) != _ALGORITHMS.get(algorithm) or not isinstance(size, int):
        return "expected a sha256 or sha512 digest and a size", b""
    if keep and size > MAX_MANIFEST_BYTES:
        return f"a manifest has at most {MAX_MANIFEST_BYTES} bytes, this one {size}", b""
    file = blobs.open(f"blobs/{algorithm}/{digits}")
    if file is None:
        return _MISSING, b""
    hashed, found, kept = hashlib.new(algorithm), 0, list[bytes]()
    with file:
        for chunk in _chunks(file, size):
            hashed.update(chunk)
            found += len(chunk)
            if keep:
                kept.append(chunk)
    if found != size:
        return f"expected {size} bytes, found {'more' if found > size else found}", b""
    if hashed.hexdigest() != digits:
        return f"its content has the digest {algorithm}:{hashed.hexdigest()}", b""
    return "", b"".join(kept)


def _chunks(file: IO[bytes], limit: int) -> Iterator[bytes]:
    """Yield a file up to the chunk that goes over the limit."""
    found = 0
    while found <= limit and (chunk := file.read(CHUNK_BYTES)):
        found += len(chunk)
        yield chunk


def _references(raw: bytes) -> Iterator[tuple[Descriptor, bool]]:
    """Yield what a manifest or an index is made of, and whether it has to be there.

    A layout may hold some platforms of an index only, and a layer with `urls` is to be had elsewhere.
    """
    document = _parse(raw) if raw else {}
    for name, required in (("config", True), ("layers", True), ("manifests", False)):
        listed = document.get(name)
        for item in listed if isinstance(listed, list) else [listed]:
            if isinstance(item, dict):
                yield item, required and not item.get("urls")


def _json(blobs: Blobs, name: str, place: str) -> Mapping[str, Any]:
    file = blobs.open(name)
    if file is None:
        raise _broken(place, f"there is no {name}")
    with file:
        raw = b"".join(_chunks(file, MAX_MANIFEST_BYTES))
    document = _parse(raw) if len(raw) <= MAX_MANIFEST_BYTES else {}
    if not document:
        raise _broken(place, f"{name} is no JSON object of at most {MAX_MANIFEST_BYTES} bytes")
    return document


def _parse(raw: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _broken(place: str, why: str) -> ImageUnresolvedError:
    return ImageUnresolvedError(
        f"{place} is no OCI image layout that can be read: {why}",
        hint="write it with `--output type=oci,dest=…`, `skopeo copy … oci:DIR` or `buildah push … oci:DIR`",
    )
