"""Compare the subjects of a statement with what it may be about: run, commit, the contract's outputs (R11, R36)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain

from chainloop_ci.attestation.subject import GIT_HEAD, WORKFLOW_PREFIX
from chainloop_ci.attestation.view import MaterialView, StatementView, SubjectView
from chainloop_ci.contract.types import Contract, MaterialType
from chainloop_ci.errors import Finding, limit_findings
from server.model.material_notes import check_copied_notes

_DIGESTS = {"sha256": re.compile(r"[0-9a-f]{64}\Z"), "sha1": re.compile(r"[0-9a-f]{40}\Z")}


def check_subjects(view: StatementView, workflow: str, contract: Contract) -> tuple[Finding, ...]:
    """Return everything that is wrong with the subjects: missing, unexpected, twice, or with another digest."""
    each = (finding for at, subject in enumerate(view.subjects) for finding in _check_subject(at, subject, view))
    return limit_findings(chain(_check_counts(view, workflow, contract), each))


def is_output(material: MaterialView, contract: Contract) -> bool:
    """Tell whether the contract makes a material a subject; a STRING never is one (reference section 5.1)."""
    entry = contract.find_material(material.name)
    return entry is not None and entry.output and material.type != MaterialType.STRING


def _check_counts(view: StatementView, workflow: str, contract: Contract) -> Iterator[Finding]:
    expected = Counter(entry.name for entry in view.materials if is_output(entry, contract))
    found = Counter(subject.material_name for subject in view.subjects if subject.material_name is not None)
    for name in expected - found:
        message = f"the material {name} is an output of the contract, expected it among the subjects, found it missing"
        yield Finding("missing-subject", message, path="/subject")
    for name in found - expected:
        message = f"the subject for material {str(name)[:80]!r} is no output of the contract, or stands there twice"
        yield Finding("unexpected-subject", message, path="/subject")
    others = Counter(subject.name for subject in view.subjects if subject.material_name is None)
    allowed = Counter({WORKFLOW_PREFIX + workflow: 1, GIT_HEAD: 1})
    for name in others - allowed:
        message = f"expected the workflow, the commit and the outputs, each once; found the subject {name[:80]!r}"
        yield Finding("unexpected-subject", message, path="/subject")
    if not others[WORKFLOW_PREFIX + workflow]:
        message = f"expected the subject {WORKFLOW_PREFIX + workflow!r}, found it missing"
        yield Finding("missing-subject", message, path="/subject")


def _check_subject(at: int, subject: SubjectView, view: StatementView) -> Iterator[Finding]:
    path = f"/subject/{at}"
    names = ("sha1", "sha256") if subject.name == GIT_HEAD and subject.material_name is None else ("sha256",)
    digests = list(subject.digests.items())
    if len(digests) != 1 or digests[0][0] not in names or not _DIGESTS[digests[0][0]].match(digests[0][1]):
        message = f"expected exactly one digest, {' or '.join(names)} in lower-case hexadecimal"
        yield Finding("subject-digest", message, path=f"{path}/digest")
    material = view.find_material(subject.material_name) if subject.material_name is not None else None
    if material is None:
        return
    if subject.name != (material.filename or ""):
        message = f"expected the material's file name {material.filename!r}, found {subject.name[:80]!r}"
        yield Finding("subject-mismatch", message, path=f"{path}/name")
    yield from check_copied_notes(path, subject.annotations, material)
