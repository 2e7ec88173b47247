"""Contract revisions in an audit file: are their bytes what their digests say, do runs name them, are they met."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from chainloop_ci.attestation.view import StatementView
from chainloop_ci.audit.rows import to_parameter
from chainloop_ci.contract.compliance import check_compliance, check_event
from chainloop_ci.contract.load import load
from chainloop_ci.contract.types import Contract, ContractFormat, MaterialType
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import ChainloopError
from chainloop_ci.findings import Finding

_PINS = """
    SELECT r.id, r.contract_revision, r.contract_digest, c.digest FROM workflow_runs r
    LEFT JOIN contract_revisions c ON c.contract_id = r.contract_id AND c.revision = r.contract_revision
    WHERE c.digest IS NOT r.contract_digest"""
_TYPES = frozenset(item.value for item in MaterialType)


class Contracts:
    """The revisions of one file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._loaded: dict[tuple[object, object], Contract | Finding] = {}

    def check_digests(self) -> Iterator[Finding]:
        """Return the revisions whose bytes are not those of their digests."""
        query = "SELECT contract_id, revision, raw_body, digest FROM contract_revisions"
        for contract_id, revision, raw, digest in self._connection.execute(query):
            if not isinstance(raw, bytes) or sha256_digest(raw) != digest:
                message = "the bytes of the contract do not hash to its digest"
                yield Finding("contract-differs", message, path=f'contract_revisions ["{contract_id}",{revision}]')

    def check_pins(self) -> Iterator[Finding]:
        """Return the runs whose revision is not there, or has another digest."""
        for run_id, revision, pinned, found in self._connection.execute(_PINS):
            message = f"the run pins revision {revision} ({pinned}), found {found or 'no such revision'}"
            yield Finding("contract-differs", message, path=f'workflow_runs ["{run_id}"]')

    def judge(self, run: Mapping[str, Any], view: StatementView) -> Iterator[Finding]:
        """Return what the run's revision finds wrong with its attestation."""
        contract = self._load(run["contract_id"], run["contract_revision"])
        if isinstance(contract, Finding):
            yield contract
            return
        present = {entry.name: MaterialType(entry.type) for entry in view.materials if entry.type in _TYPES}
        given = {entry.name: entry.annotations for entry in view.materials}
        yield from check_compliance(contract, present, annotations=view.annotations, material_annotations=given)
        if finding := check_event(contract, run["ci_event"]):
            yield finding

    def _load(self, contract_id: object, revision: object) -> Contract | Finding:
        place = (contract_id, revision)
        if place not in self._loaded:
            self._loaded[place] = self._read(*place)
        return self._loaded[place]

    def _read(self, contract_id: object, revision: object) -> Contract | Finding:
        query = "SELECT raw_body, format FROM contract_revisions WHERE contract_id = ? AND revision = ?"
        found = self._connection.execute(query, [to_parameter(contract_id), to_parameter(revision)]).fetchone()
        if found is None:
            return Finding("contract-missing", f"revision {revision} of its contract is not there")
        try:
            return load(found[0], format=ContractFormat(found[1])).contract
        except (ChainloopError, ValueError, TypeError, AttributeError):
            return Finding("contract-unreadable", f"revision {revision} of its contract cannot be read")
