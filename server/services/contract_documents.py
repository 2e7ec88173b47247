"""From the bytes of a contract to what it says; parsed once per process, since a revision never changes."""

from __future__ import annotations

import base64
from functools import lru_cache

from chainloop_ci.api.workflows import ContractRevision
from chainloop_ci.contract.document import to_document
from chainloop_ci.contract.load import LoadedContract, load
from chainloop_ci.contract.types import ContractFormat
from chainloop_ci.errors import ContractInvalidError, Finding
from chainloop_ci.materials.registry import IMPLEMENTED
from server.model.contracts import StoredRevision
from server.model.workflows import EMPTY_CONTRACT

_KEPT = 128
"""Parsed contracts that a process keeps."""
_MAX_KEPT_BYTES = 16 * 1024
"""Larger ones are parsed again each time: a tenant must not fill the server's memory with them."""


def load_contract(raw: bytes, format: ContractFormat | None) -> LoadedContract:
    """Return what the bytes say; CUE is read as data only, no program is run for a tenant.

    Raises:
        ContractInvalidError: with every finding.
    """
    return _load_kept(raw, format) if len(raw) <= _MAX_KEPT_BYTES else _load(raw, format)


def _load(raw: bytes, format: ContractFormat | None) -> LoadedContract:
    return load(raw, format=format, implemented=IMPLEMENTED)


_load_kept = lru_cache(maxsize=_KEPT)(_load)


def prepare_contracts() -> None:
    """Load the schemas of contracts ahead of the first request, so that workers share them."""
    load_contract(EMPTY_CONTRACT.format(name="empty").encode(), ContractFormat.YAML)


def load_for_name(raw: bytes, format: ContractFormat | None, name: str) -> LoadedContract:
    """Return what the bytes say, when they are fit to be stored under `name`.

    Raises:
        ContractInvalidError: with every finding; also when `metadata.name` is another name.
    """
    loaded = load_contract(raw, format)
    found = loaded.contract.name
    if found is not None and found != name:
        message = f"expected metadata.name to be {name!r}, as in the address, found {found!r}"
        finding = Finding("name-mismatch", message, path="/metadata/name", hint=f"store it as contract {found}")
        raise ContractInvalidError(f"the contract has another name: {message}", findings=[finding])
    return loaded


def describe_revision(stored: StoredRevision, *, changed: bool = False) -> ContractRevision:
    """Return the wire form of a revision.

    The bytes are shown even when the rules have become stricter since they were stored; why they would be refused
    today then stands among the warnings.
    """
    try:
        loaded = load_contract(stored.raw_body, stored.format)
        document, notes = to_document(loaded.contract), [str(item) for item in loaded.warnings]
    except ContractInvalidError as error:
        document, notes = {}, [f"this version would refuse it: {item}" for item in error.findings]
    return ContractRevision(
        name=stored.name,
        revision=stored.revision,
        latest_revision=stored.latest_revision,
        digest=stored.digest,
        format=stored.format,
        raw_body=base64.b64encode(stored.raw_body).decode(),
        document=document,
        created_at=stored.created_at,
        created_by=stored.created_by,
        warnings=tuple(notes),
        changed=changed,
        enforced_from=stored.enforced_from,
    )
