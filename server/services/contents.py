"""Run the material registry on the bytes that are stored, not on the client's word (R11).

Documents go through this process in blocks, to a limited child that parses them, up to a stated size; what was not
looked at is recorded as such. A document that its check cannot cope with is refused: it must not pass as green.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from chainloop_ci.api.runs import ContentPlace
from chainloop_ci.digests import Digest
from chainloop_ci.errors import Finding, MaterialRejectedError
from chainloop_ci.materials.annotations import FACTS, LENIENT, VALIDATION
from chainloop_ci.materials.content_form import form_of, name_form, wide_encoding_of
from chainloop_ci.materials.rejection import rejected
from chainloop_ci.materials.types import MAX_DESCRIBED_BYTES, Checked, Form, MaterialSource
from server.cas.blobs import Blobs
from server.content_check.checker import ContentChecker, Session
from server.content_check.limits import CPU_SECONDS, MIB, largest_document
from server.content_check.wire import Job, Stopped, StopReason, Task
from server.model.material_claims import PlacedMaterial
from server.store.attestations import StoredMaterial

MAX_CHECKED_BYTES = 64 * MIB
"""Largest document that is checked; less where the operator gives checks little memory."""
MAX_CHECKED_TOTAL_BYTES = 256 * MIB
"""Documents of one attestation together: more would hold a thread for too long."""

CHECKED = "checked"
TOO_MUCH = f"not checked: the documents of this attestation are larger than {MAX_CHECKED_TOTAL_BYTES // MIB} MiB"

_MAX_NOTE = 300
_STOPPED = {
    StopReason.TIME: f"takes more than {CPU_SECONDS} seconds to check",
    StopReason.MEMORY: "takes too much memory to check",
    StopReason.CRASHED: "made its check fail",
}
_SPLIT = "give the tool that writes it less to say, or split it; as ARTIFACT or EVIDENCE it is stored unchecked"
_UPLOAD = "a reference gives no right to read: upload the file for this run to be told what differs"


@dataclass(frozen=True, slots=True)
class ContentReport:
    """What became of each material's content check."""

    materials: tuple[StoredMaterial, ...]
    findings: tuple[Finding, ...]


class Contents:
    """Checks the contents of one attestation."""

    def __init__(
        self, back_ends: Mapping[str, Blobs], locations: Mapping[Digest, str], checker: ContentChecker, owner: str
    ) -> None:
        """Take the open back ends, the name of the one that holds each digest, and whose attestation it is."""
        self._back_ends = back_ends
        self._locations = locations
        self._checker = checker
        self._owner = owner
        self._largest = min(MAX_CHECKED_BYTES, largest_document(checker.memory_bytes))
        self._needed = 0
        self._left = MAX_CHECKED_TOTAL_BYTES
        self._findings: list[Finding] = []
        self._stack = ExitStack()
        self._session: Session | None = None

    def check(self, placed: Sequence[PlacedMaterial]) -> ContentReport:
        """Return what was checked and everything that is wrong.

        Raises:
            CheckerBusyError: other checks hold the memory or the processor; nothing was decided.
            CheckerUnavailableError: no child can be had; nothing was decided.
        """
        sizes = (material.size_bytes or 0 for material in placed if material.kind.source is not MaterialSource.LITERAL)
        self._needed = max((size for size in sizes if size <= self._largest), default=0)
        with self._stack:
            stored = tuple(map(self._stored, placed))
        return ContentReport(stored, tuple(self._findings))

    def _stored(self, material: PlacedMaterial) -> StoredMaterial:
        return StoredMaterial(
            name=material.view.name,
            type=material.view.type,
            digest=material.view.digest or "",
            stored=material.place,
            content_check=self._check(material),
        )

    def _check(self, material: PlacedMaterial) -> str:
        kind, source = material.kind, material.kind.source
        if material.place is ContentPlace.NOT_STORED:
            return ContentPlace.NOT_STORED.value
        if source is MaterialSource.LITERAL:
            return CHECKED
        if kind.check is None:
            self._compare_small(material)
            return f"not checked: a material of type {kind.type} may hold anything"
        size = material.size_bytes or 0
        if size > self._largest:
            return self._check_form(material, too_large(self._largest))
        if size > self._left:
            return self._check_form(material, TOO_MUCH)
        self._left -= size
        return self._check_whole(material)

    def _check_whole(self, material: PlacedMaterial) -> str:
        try:
            checked = self._ask(material, Task.CHECK)
        except MaterialRejectedError as error:
            return self._refuse(material, error)
        if isinstance(checked, Stopped):
            return self._give_up(material, checked)
        self._findings += _compare(material, checked.annotations)
        return _describe(checked, material)

    def _check_form(self, material: PlacedMaterial, why_not: str) -> str:
        """Look at the first bytes of what is not checked: an archive named as an SBOM is refused all the same."""
        head = next(self._blocks(material), b"")
        is_wide_xml = Form.XML in material.kind.forms and wide_encoding_of(head)
        if not is_wide_xml and form_of(head) not in material.kind.forms:
            return self._refuse(material, rejected(f"a {material.kind.title}", name_form(head)))
        return why_not

    def _refuse(self, material: PlacedMaterial, error: MaterialRejectedError) -> str:
        self._findings += _rejected(material, error)
        return f"not checked: refused as {material.kind.type}"

    def _give_up(self, material: PlacedMaterial, stopped: Stopped) -> str:
        """Refuse what cannot be checked: it must not pass, and its type promises that it was looked at."""
        name = f"material {material.view.name} ({material.kind.type})"
        message = f"{name} {_STOPPED[stopped.reason]}, so nobody can say what it is"
        self._findings.append(Finding("content-unreadable", message, path=material.path, hint=_SPLIT))
        return f"not checked: {stopped.reason.value}"

    def _ask(self, material: PlacedMaterial, task: Task) -> Checked | Stopped:
        if self._session is None:
            self._session = self._stack.enter_context(self._checker.session(self._owner, self._needed))
        job = Job(material.kind.type, task, strict=not _is_lenient(material))
        return self._session.check(job, lambda: self._blocks(material))

    def _compare_small(self, material: PlacedMaterial) -> None:
        """Derive the facts again that `add` found in a small file; a larger one has none."""
        size = material.size_bytes or 0
        if material.kind.describe_small is None or size > self._left:
            return
        if size > MAX_DESCRIBED_BYTES:
            self._findings += _compare(material, {})
            return
        self._left -= size
        described = self._ask(material, Task.DESCRIBE)
        if isinstance(described, Stopped):
            self._give_up(material, described)
            return
        self._findings += _compare(material, described.annotations)

    def _blocks(self, material: PlacedMaterial) -> Iterator[bytes]:
        if material.view.content is not None:
            return iter((material.view.content,))
        digest = material.view.digest
        if digest is None:
            raise ValueError(f"material {material.view.name} has no digest")
        return self._back_ends[self._locations[digest]].read(digest)


def too_large(largest_bytes: int) -> str:
    """Return what is recorded of a document that is larger than the checks go."""
    return f"not checked: larger than {largest_bytes // MIB} MiB"


def _is_lenient(material: PlacedMaterial) -> bool:
    """Tell whether the signed statement says that the published schema was not insisted on."""
    return material.view.annotations.get(VALIDATION) == LENIENT


def _describe(checked: Checked, material: PlacedMaterial) -> str:
    how = f"{CHECKED} leniently, as the job asked" if _is_lenient(material) else CHECKED
    if not checked.warnings or material.is_hidden:
        return how
    return f"{how}, with warnings: {'; '.join(checked.warnings)}"[:_MAX_NOTE]


def _rejected(material: PlacedMaterial, error: MaterialRejectedError) -> Iterator[Finding]:
    """Say which material it is and keep the places inside its document."""
    name = f"material {material.view.name} ({material.kind.type})"
    if material.is_hidden:
        message = f"{name}: the content that the run refers to does not fit its type"
        yield Finding("material-rejected", message, path=material.path, hint=_UPLOAD)
        return
    yield Finding("material-rejected", f"{name}: {error.message}", path=material.path, hint=error.hint)
    for finding in error.findings:
        place = f" at {finding.path}" if finding.path else ""
        yield replace(finding, message=f"{name}{place}: {finding.message}", path=material.path)


def _compare(material: PlacedMaterial, derived: Mapping[str, str]) -> Iterator[Finding]:
    """Compare the facts that the statement gives about a document with those that are derived from its content."""
    said, name = material.view.annotations, material.view.name
    differing = sorted(key for key in FACTS if said.get(key) != derived.get(key))
    if differing and material.is_hidden:
        message = f"the content that material {name} refers to has other facts than the statement"
        yield Finding("annotation-differs", message, path=material.path, hint=_UPLOAD)
        return
    for key in differing:
        message = (
            f"the content of material {name} says {key} is {_shown(derived.get(key))}, found {_shown(said.get(key))}"
        )
        yield Finding("annotation-differs", message, path=f"{material.path}/annotations/{key}")


def _shown(value: str | None) -> str:
    return "nothing" if value is None else repr(value[:80])
