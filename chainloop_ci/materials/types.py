"""Registry 1: the record that says how one material type is read, checked and described."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chainloop_ci.contract.types import MaterialType


class MaterialSource(StrEnum):
    """How the value of a material reaches the attestation."""

    LITERAL = "literal"
    """The value itself."""
    FILE = "file"
    """A file of any size, streamed once: hash and upload together."""
    DOCUMENT = "document"
    """A file that is read and checked as a whole before it is uploaded; at most `MAX_DOCUMENT_BYTES`."""
    IMAGE = "image"
    """A container image reference, resolved to its digest; never uploaded."""


@dataclass(frozen=True, slots=True)
class MainComponent:
    """What an SBOM is about."""

    name: str
    version: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found in a document that it accepts."""

    annotations: Mapping[str, str] = field(default_factory=dict)
    """`chainloop.material.*` facts, reference section 3.2."""
    main_component: MainComponent | None = None
    warnings: tuple[str, ...] = ()


Check = Callable[[bytes, bool], Checked]


@dataclass(frozen=True, slots=True)
class MaterialKind:
    """How one material type is handled. Each implemented type has exactly one entry in `registry.MATERIALS`."""

    type: MaterialType
    source: MaterialSource
    title: str
    """For people: «CycloneDX SBOM (JSON)»."""
    check: Check | None = None
    """`check(raw, strict)` accepts the content or raises `MaterialRejectedError` with findings. `strict` False turns
    violations of the published schema into warnings; what makes the document unusable is refused always."""
    inferable: bool = True
    """Whether `add` without a type may find this type by its content (reference section 1.3)."""


MAX_DOCUMENT_BYTES = 256 * 1024 * 1024
"""Largest document that is read as a whole, in bytes."""
