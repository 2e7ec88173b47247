"""The file that `docker buildx build --metadata-file` writes. Source: Docker Docs, "docker buildx build".

`docker buildx bake` writes one such object for each target.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainloop_ci.attestation.state import ImageReference
from chainloop_ci.digests import is_digest, parse_digest
from chainloop_ci.errors import Finding, ImageUnresolvedError
from chainloop_ci.materials.image_name import canonical_repository, parse_image_name

DIGEST = "containerimage.digest"
NAME = "image.name"


def find_builds(document: object) -> Mapping[str, Mapping[str, Any]]:
    """Return the builds that a JSON document tells of by target, that of `build` under ""; empty when it is another."""
    if not isinstance(document, dict):
        return {}
    if DIGEST in document:
        return {"": document}
    return {str(name): item for name, item in document.items() if isinstance(item, dict) and DIGEST in item}


def read_metadata(builds: Mapping[str, Mapping[str, Any]], place: str, wanted: str) -> ImageReference:
    """Return the image of a build; `wanted` is the digest that was asked for, empty when there is only one.

    Raises:
        ImageUnresolvedError: several builds and no digest, or one without a name or a digest.
    """
    fitting = [build for build in builds.values() if not wanted or build.get(DIGEST) == wanted]
    if len(fitting) != 1:
        findings = [
            Finding("image", f"{build.get(DIGEST)} ({name or 'build'})"[:200]) for name, build in builds.items()
        ]
        listed = "; ".join(finding.message for finding in findings[:20])
        raise ImageUnresolvedError(
            f"{place} tells of {len(builds)} builds: {listed}",
            hint=f"say which by its digest: {place}@sha256:…",
            findings=findings,
        )
    return _reference(fitting[0], place)


def _reference(build: Mapping[str, Any], place: str) -> ImageReference:
    digest, listed = str(build[DIGEST]), str(build.get(NAME) or "")
    if not is_digest(digest):
        raise ImageUnresolvedError(f"{place}: {DIGEST} is no sha256 digest: {digest[:80]!r}")
    names = [name.strip() for name in listed.split(",") if name.strip()]
    parsed = [parse_image_name(name) for name in names]
    if not names or None in parsed:
        found = repr(listed[:120]) if names else "none"
        raise ImageUnresolvedError(
            f"{place}: expected the image's name in {NAME}, found {found}",
            hint="build with --tag (-t) and --push, or give the OCI layout that the build wrote",
        )
    tags = [(name.tag or "latest") for name in parsed if name]
    return ImageReference(
        canonical_repository(names[0]), parse_digest(digest), tags[0], has_latest_tag="latest" in tags
    )
