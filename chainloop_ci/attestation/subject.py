"""What a statement is about: the workflow's run, the commit, and the materials that the contract marks as output.

Source: reference section 5.1. A material looks the same among the subjects and in the predicate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainloop_ci.attestation.dsse import encode_base64
from chainloop_ci.attestation.state import CraftedMaterial, CraftingState, GitHead
from chainloop_ci.attestation.state_document import attestation_document
from chainloop_ci.attestation.times import render_time
from chainloop_ci.contract.annotations import MATERIAL_PREFIX
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.digests import Digest, hex_of, sha256_digest

WORKFLOW_PREFIX = "chainloop.workflow."
"""Name of the first subject, followed by the workflow's name."""

GIT_HEAD = "git.head"
"""Name of the subject that is the commit."""

_MADE_HERE = frozenset(
    MATERIAL_PREFIX + name
    for name in (
        "name",
        "type",
        "size",
        "cas",
        "cas.inline",
        "image.tag",
        "image.is_latest_tag",
        "sbom.main_component.name",
        "sbom.main_component.type",
        "sbom.main_component.version",
    )
)


def render_subjects(state: CraftingState) -> list[dict[str, object]]:
    """Return the subjects in their order: workflow, commit, outputs by name. A STRING is never one."""
    outputs = sorted(
        (entry for entry in state.materials.values() if entry.output and entry.type is not MaterialType.STRING),
        key=lambda entry: entry.name,
    )
    head = [_head_subject(state.head)] if state.head else []
    return [_workflow_subject(state), *head, *map(_output_subject, outputs)]


def render_material(material: CraftedMaterial) -> dict[str, object]:
    """Return a material as the predicate lists it."""
    content = material.value.encode("utf-8") if material.value is not None else material.inline
    entry: dict[str, object] = {"annotations": _annotations(material)}
    if content is not None:
        entry["content"] = encode_base64(content)
    entry["digest"] = {"sha256": hex_of(material.digest)}
    if material.filename and material.type is not MaterialType.STRING:
        entry["name"] = material.filename
    return entry


def workflow_digest(state: CraftingState) -> Digest:
    """Return sha256 of the RFC 8785 form of the state's `attestation` object (design decision 18)."""
    import rfc8785

    document: Any = attestation_document(state)
    return sha256_digest(rfc8785.dumps(document))


def head_digest(head: GitHead) -> tuple[str, str]:
    """Return the algorithm and the digits of a commit: git's own hash, SHA-1 by default."""
    return ("sha1" if len(head.hash) == 40 else "sha256", head.hash)


def _workflow_subject(state: CraftingState) -> dict[str, object]:
    return {
        "name": WORKFLOW_PREFIX + state.pin.name,
        "digest": {"sha256": hex_of(workflow_digest(state))},
    }


def _head_subject(head: GitHead) -> dict[str, object]:
    algorithm, digits = head_digest(head)
    facts: Mapping[str, object] = {
        "author.email": head.author_email,
        "author.name": head.author_name,
        "date": render_time(head.date) if head.date else "",
        "message": head.message,
        "remotes": [{"name": remote.name, "url": remote.url} for remote in head.remotes],
        "source": head.source,
    }
    annotations = {name: value for name, value in facts.items() if value}
    subject: dict[str, object] = {"name": GIT_HEAD, "digest": {algorithm: digits}}
    return {**subject, "annotations": annotations} if annotations else subject


def _output_subject(material: CraftedMaterial) -> dict[str, object]:
    entry = render_material(material)
    return {name: entry[name] for name in ("name", "digest", "annotations") if name in entry}


def _annotations(material: CraftedMaterial) -> dict[str, object]:
    facts: dict[str, object] = {"name": material.name, "type": material.type.value}
    if material.size_bytes is not None:
        facts["size"] = str(material.size_bytes)
    if material.uploaded:
        facts["cas"] = True
    if material.inline is not None:
        facts["cas.inline"] = True
    if material.image:
        facts["image.is_latest_tag"] = material.image.has_latest_tag
        if material.image.tag:
            facts["image.tag"] = material.image.tag
    if component := material.main_component:
        parts = {"name": component.name, "type": component.kind, "version": component.version}
        facts.update({f"sbom.main_component.{name}": value for name, value in parts.items() if value})
    given = {name: value for name, value in material.annotations.items() if name not in _MADE_HERE}
    made = {MATERIAL_PREFIX + name: value for name, value in facts.items()}
    return dict(sorted({**given, **made}.items()))
