"""Which annotations of Chainloop's own a material may carry (R11, R13): what nobody derives, nobody may claim."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from chainloop_ci.attestation.view import MaterialView
from chainloop_ci.contract.annotations import MATERIAL_PREFIX, is_reserved_annotation
from chainloop_ci.errors import Finding
from chainloop_ci.materials.annotations import FACTS, VALIDATION
from chainloop_ci.materials.types import MaterialKind, MaterialSource

SIZE = f"{MATERIAL_PREFIX}size"
CAS = f"{MATERIAL_PREFIX}cas"
INLINE = f"{MATERIAL_PREFIX}cas.inline"

_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,15})\Z")
# What clients write that the content does not hold: which other materials belong to it (reference section 3.2), and
# what it replaced (R17).
_ANY = frozenset(MATERIAL_PREFIX + name for name in ("size", "replaces", "references", "policy_input"))
_IMAGE = frozenset(
    MATERIAL_PREFIX + name
    for name in ("image.tag", "image.is_latest_tag", "signature", "signature.digest", "signature.provider")
)


def check_notes(path: str, entry: MaterialView, kind: MaterialKind | None) -> Iterator[Finding]:
    """Return a finding for each reserved annotation that has no place there, and for a size that is none."""
    allowed = _ANY | (_allowed_for(kind) if kind else frozenset())
    for name in entry.annotations:
        if is_reserved_annotation(name) and name not in allowed:
            message = f"the annotation {name[:80]} of material {entry.name[:80]} is none that Chainloop writes there"
            yield Finding("annotation-reserved", message, path=f"{path}/annotations/{name[:80]}")
    size = entry.annotations.get(SIZE)
    if size is not None and not _DECIMAL.match(size):
        message = f"expected the size of material {entry.name[:80]} in bytes, as decimal digits, found {size[:40]!r}"
        yield Finding("size-differs", message, path=f"{path}/annotations/{SIZE}")


def check_copied_notes(path: str, found: Mapping[str, str], entry: MaterialView) -> Iterator[Finding]:
    """Return a finding for each reserved annotation of a subject that its material does not have, or has otherwise."""
    own = {**entry.annotations, CAS: str(entry.uploaded).lower(), INLINE: str(entry.inline).lower()}
    own |= {f"{MATERIAL_PREFIX}name": entry.name, f"{MATERIAL_PREFIX}type": entry.type}
    for name, value in found.items():
        if is_reserved_annotation(name) and own.get(name) != value:
            message = f"the annotation {name[:80]} is not the one of the material {entry.name[:80]}"
            yield Finding("subject-mismatch", message, path=f"{path}/annotations/{name[:80]}")


def _allowed_for(kind: MaterialKind) -> frozenset[str]:
    if kind.source is MaterialSource.IMAGE:
        return _IMAGE
    if kind.check:
        return FACTS | {VALIDATION}
    return FACTS if kind.describe_small else frozenset()
