"""Sends documents in as few requests as their size allows, and gives every refusal back its place in a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from chainloop_ci.api.apply import (
    MAX_APPLY_BYTES,
    MAX_APPLY_ITEMS,
    Applied,
    AppliedContract,
    AppliedItem,
    AppliedKind,
    AppliedWorkflow,
    ApplyRequest,
)
from chainloop_ci.api.record import to_dict
from chainloop_ci.cli.apply_files import Document
from chainloop_ci.client.operator import Operator
from chainloop_ci.errors import ChainloopError, Finding, RequestInvalidError

_ROOM_BYTES = MAX_APPLY_BYTES - 64 * 1024
"""What documents may take of a request; the rest is for what stands around them."""
_PLACE = re.compile(r"/(contracts|workflows)/([0-9]+)(/.*)?\Z")
_FIELDS = {"/project": ("spec", "project"), "/contract": ("spec", "contract"), "/source": ("spec", "source")}


@dataclass(frozen=True, slots=True)
class Batch:
    """The documents of one request."""

    contracts: tuple[Document, ...] = ()
    workflows: tuple[Document, ...] = ()
    announced: tuple[str, ...] = ()
    """Contracts of earlier batches that the workflows use."""

    def request(self, *, dry_run: bool) -> ApplyRequest:
        """Return the request."""
        return ApplyRequest(
            contracts=tuple(item for document in self.contracts if isinstance(item := document.item, AppliedContract)),
            workflows=tuple(item for document in self.workflows if isinstance(item := document.item, AppliedWorkflow)),
            dry_run=dry_run,
            announced=self.announced if dry_run else (),
        )

    def place(self, found: Finding) -> Finding:
        """Return a finding about the request as one about a file."""
        match = _PLACE.match(found.path or "")
        if match is None:
            return found
        listed = self.contracts if match[1] == "contracts" else self.workflows
        if int(match[2]) >= len(listed):
            return found
        inner = next((path for name, path in _FIELDS.items() if (match[3] or "").startswith(name)), ())
        return listed[int(match[2])].finding(found.code, found.message, found.hint, inner)


def pack(documents: Sequence[Document]) -> list[Batch]:
    """Return the batches of documents, contracts first; each is within the limits of one request."""
    batches: list[Batch] = []
    contracts: list[Document] = []
    workflows: list[Document] = []
    sent: set[str] = set()
    room = _ROOM_BYTES

    def close() -> None:
        nonlocal room
        used = {item.contract for one in workflows if isinstance(item := one.item, AppliedWorkflow) and item.contract}
        batches.append(Batch(tuple(contracts), tuple(workflows), tuple(sorted(used & sent))))
        sent.update(one.item.name for one in contracts)
        contracts.clear()
        workflows.clear()
        room = _ROOM_BYTES

    for document in sorted(documents, key=lambda one: isinstance(one.item, AppliedWorkflow)):
        size, count = _size(document), len(contracts) + len(workflows)
        if count >= MAX_APPLY_ITEMS or (count and size > room):
            close()
        (workflows if isinstance(document.item, AppliedWorkflow) else contracts).append(document)
        room -= size
    if contracts or workflows:
        close()
    return batches


def send(operator: Operator, batches: Sequence[Batch], *, dry_run: bool) -> list[AppliedItem]:
    """Apply batches, and return what became of everything.

    What needs several requests is tried out as a whole first, so that a refusal leaves nothing half done.

    Raises:
        ChainloopError: something cannot be; with every reason, each at its place in a file.
    """
    if len(batches) > 1 and not dry_run:
        _send(operator, batches, dry_run=True)
    return _merged(_send(operator, batches, dry_run=dry_run))


def _send(operator: Operator, batches: Sequence[Batch], *, dry_run: bool) -> list[Applied]:
    applied: list[Applied] = []
    refusals: list[ChainloopError] = []
    for batch in batches:
        try:
            applied.append(operator.apply(batch.request(dry_run=dry_run)))
        except ChainloopError as error:
            if not error.findings:
                raise
            error.findings = tuple(batch.place(found) for found in error.findings)
            refusals.append(error)
            if not dry_run:
                done = sum(len(one.items) for one in applied)
                error.hint = error.hint or f"{done} things were applied before; correct this and repeat the command"
                raise
    if refusals:
        raise _joined(refusals)
    return applied


def _joined(refusals: Sequence[ChainloopError]) -> ChainloopError:
    if len(refusals) == 1:
        return refusals[0]
    findings = [found for error in refusals for found in error.findings]
    kinds = {type(error) for error in refusals}
    kind = kinds.pop() if len(kinds) == 1 else RequestInvalidError
    joined = kind.__new__(kind)
    message = f"{len(findings)} things cannot be applied; nothing was changed"
    ChainloopError.__init__(joined, message, findings=findings)
    return joined


def _size(document: Document) -> int:
    from json import dumps

    # Outside of ASCII a character may take six bytes where it is escaped: never less than what is sent.
    return len(dumps(to_dict(document.item)))


def _merged(applied: Iterable[Applied]) -> list[AppliedItem]:
    """Return projects, then contracts, then workflows; a project that several batches of a dry run make stands once."""
    found: dict[tuple[str, str, str], AppliedItem] = {}
    for item in _items(applied):
        found.setdefault((item.kind, item.project or "", item.name), item)
    order = list(AppliedKind)
    return sorted(found.values(), key=lambda item: order.index(item.kind))


def _items(applied: Iterable[Applied]) -> Iterator[AppliedItem]:
    for one in applied:
        yield from one.items
