"""Registry 1: the record that says how one material type is read, checked and described."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.records import record


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


class Form(StrEnum):
    """What a file is by its first bytes (`content_form.form_of`)."""

    JSON_OBJECT = "a JSON object"
    JSON_ARRAY = "a JSON array"
    XML = "XML"
    ZIP = "a zip archive"
    GZIP = "gzip-compressed data"


@record
class MainComponent:
    """What an SBOM is about."""

    name: str
    version: str = ""
    kind: str = ""


@record
class Checked:
    """What a check found in a document that it accepts."""

    annotations: Mapping[str, str] = field(default_factory=dict)
    """`chainloop.material.*` facts, reference section 3.2; `chainloop.material.size` is not among them."""
    main_component: MainComponent | None = None
    warnings: tuple[str, ...] = ()


Check = Callable[[bytes, bool], Checked]


@record
class MaterialKind:
    """How one material type is handled. Each implemented type has exactly one entry in `registry.MATERIALS`."""

    type: MaterialType
    source: MaterialSource
    title: str
    """For people: «CycloneDX SBOM (JSON)»."""
    check: Check | None = None
    """`check(raw, strict)` accepts the content or raises `MaterialRejectedError` with findings. `strict` False turns
    violations of the published schema into warnings; what makes the document unusable is refused always."""
    describe_small: Callable[[bytes], Mapping[str, str]] | None = None
    """FILE only: facts about a file of at most `MAX_DESCRIBED_BYTES`, found in its content. Never refuses anything."""
    inferable: bool = True
    """Whether `add` without a type may find this type by its content (reference section 1.3)."""
    forms: tuple[Form, ...] = ()
    """DOCUMENT only: what the first bytes must look like before the type is considered at all."""
    marker: bytes = b""
    """DOCUMENT only: bytes in every JSON or XML document of this type, searched before anything is parsed."""
    prepare: Callable[[], None] | None = None
    """Loads all that the checks import and read, for whoever may not open files later; None: nothing."""


MAX_DOCUMENT_BYTES = 256 * 1024 * 1024
"""Largest document that is read as a whole, in bytes."""

MAX_DESCRIBED_BYTES = 1024 * 1024
"""Largest FILE that is kept in memory for `describe_small`, in bytes."""

MAX_INFERRED_ARCHIVE_BYTES = 16 * 1024 * 1024
"""Largest archive that is opened to infer its type, in bytes; a larger one is an ARTIFACT unless its type is given."""
