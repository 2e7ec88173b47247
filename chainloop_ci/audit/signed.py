"""What the signed bytes in an audit file say of its rows: signer, run, materials, contract; judged again (R11, R13)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chainloop_ci.attestation.bundle import Bundle, read_bundle_strict
from chainloop_ci.attestation.reader import read_statement
from chainloop_ci.attestation.runner_document import ci_document
from chainloop_ci.attestation.verification import PublicKey, check_signature
from chainloop_ci.attestation.view import StatementView
from chainloop_ci.audit.contracts import Contracts
from chainloop_ci.audit.rows import to_parameter
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import ChainloopError
from chainloop_ci.findings import Finding

LoadKey = Callable[[bytes], PublicKey]
"""PEM to key; raises a `ChainloopError`."""
_Row = Mapping[str, Any]

_RUN = """
    SELECT r.*, w.name AS workflow_name, p.name AS project_name, c.name AS contract_name,
           (SELECT name FROM organizations) AS organization_name
    FROM workflow_runs r LEFT JOIN workflows w ON w.id = r.workflow_id LEFT JOIN projects p ON p.id = r.project_id
    LEFT JOIN contracts c ON c.id = r.contract_id WHERE r.id = ?"""
_CI = {
    "provider": "ci_provider", "serverUrl": "ci_server_url", "repository": "ci_repository", "runId": "ci_run_id",
    "runAttempt": "ci_run_attempt", "job": "ci_job", "jobIndex": "ci_job_index", "runnerName": "ci_runner_name",
    "event": "ci_event", "ref": "ci_ref", "headSha": "ci_head_sha", "pullRequest": "ci_pull_request",
}  # fmt: skip
"""What the statement calls what the run's row has."""


@dataclass(frozen=True, slots=True)
class _Attested:
    """An attestation with what belongs to it."""

    attestation: _Row
    run: _Row
    bundle: Bundle
    view: StatementView


class Signed:
    """Checks of everything that an attestation signs."""

    def __init__(self, connection: sqlite3.Connection, load_key: LoadKey) -> None:
        self._connection = connection
        self._load_key = load_key
        self._contracts = Contracts(connection)
        self._keys = {row["id"]: row for row in self._select("SELECT * FROM verification_keys")}
        self.attestations = 0
        """How many were looked at."""
        self.revoked: dict[str, int] = {}
        """Names of revoked keys to how many attestations they signed."""

    def check(self) -> Iterator[Finding]:
        """Return everything in which rows and signed bytes differ."""
        yield from self._contracts.check_digests()
        yield from self._contracts.check_pins()
        yield from self._check_runs()
        for row in self._select("SELECT * FROM attestations"):
            self.attestations += 1
            path = f'attestations ["{row["digest"]}"]'
            for finding in self._check_attestation(row):
                place = finding.path or ""
                yield finding if place.startswith("run_materials ") else replace(finding, path=path, hint=None)

    def _select(self, query: str, *values: object) -> Iterator[_Row]:
        found = self._connection.execute(query, [to_parameter(value) for value in values])
        names = [item[0] for item in found.description]
        return (dict(zip(names, row, strict=True)) for row in found)

    def _check_runs(self) -> Iterator[Finding]:
        query = (
            "SELECT r.id, r.state, r.attestation_digest, a.digest, a.verified FROM workflow_runs r "
            "LEFT JOIN attestations a ON a.run_id = r.id "
            "WHERE r.attestation_digest IS NOT a.digest OR (r.state = 'success' AND a.verified IS NOT 1) "
            "OR (a.digest IS NOT NULL AND r.state NOT IN ('success', 'error'))"
        )
        for row in self._select(query):
            message = (
                f"the run is {row['state']} with attestation {row['attestation_digest'] or 'none'}, found "
                f"{row['digest'] or 'none'}" + ("" if row["verified"] else ", which no registered key signed")
            )
            yield Finding("run-differs", message, path=f'workflow_runs ["{row["id"]}"]')

    def _check_attestation(self, row: _Row) -> Iterator[Finding]:
        raw = row["bundle"]
        if not isinstance(raw, bytes) or sha256_digest(raw) != row["digest"]:
            yield Finding("bundle-differs", "the bytes of the bundle do not hash to the digest that names them")
            return
        run = next(self._select(_RUN, row["run_id"]), None)
        if run is None:
            yield Finding("run-missing", f"the run {row['run_id']} is not there")
            return
        try:
            bundle = read_bundle_strict(raw, allow_unsigned=not row["verified"], max_bytes=len(raw))
            view = read_statement(bundle.payload)
        except ChainloopError as error:
            yield Finding(error.code, error.message)
            return
        attested = _Attested(row, run, bundle, view)
        if row["verified"]:
            yield from self._check_signer(attested)
        yield from _check_claims(attested)
        yield from self._check_materials(attested)
        yield from self._contracts.judge(run, view)

    def _check_signer(self, attested: _Attested) -> Iterator[Finding]:
        row = attested.attestation
        key = self._keys.get(row["key_id"])
        if key is None:
            yield Finding("key-missing", f"the key {row['key_id']} that is said to have signed it is not there")
            return
        try:
            public_key = self._load_key(str(key["public_key"]).encode("utf-8", "surrogateescape"))
            check_signature(attested.bundle, [public_key])
        except ChainloopError as error:
            yield Finding(error.code, f"{error.message} (key {key['name']})")
            return
        if public_key.key_id != key["id"]:
            yield Finding("key-differs", f"the public key of {key['name']} has the id {public_key.key_id}")
        stored_at, retired_at = str(row["stored_at"]), key["retired_at"]
        if str(key["valid_from"]) > stored_at or (retired_at is not None and str(retired_at) <= stored_at):
            times = f"from {key['valid_from']} to {retired_at or 'now'}"
            yield Finding("key-not-valid", f"stored at {stored_at}; key {key['name']} counted {times}")
        if key["revoked_at"] is not None:
            self.revoked[key["name"]] = self.revoked.get(key["name"], 0) + 1

    def _check_materials(self, attested: _Attested) -> Iterator[Finding]:
        run_id = attested.run["id"]
        said = {entry.name: (entry.type, entry.digest) for entry in attested.view.materials}
        rows = self._select("SELECT name, type, digest FROM run_materials WHERE run_id = ?", run_id)
        held = {row["name"]: (row["type"], row["digest"]) for row in rows}
        for name in sorted(said.keys() | held.keys(), key=str):
            if said.get(name) != held.get(name):
                message = f"expected {_shown(said.get(name))}, which is signed, found {_shown(held.get(name))}"
                yield Finding("material-differs", message, path=f'run_materials ["{run_id}","{name}"]')


def _check_claims(attested: _Attested) -> Iterator[Finding]:
    """Compare what is signed of the run with its row, and with the names of what it belongs to: none ever changes."""
    view, run = attested.view, attested.run
    said: dict[str, tuple[object, object]] = {
        "id": (view.run_id, run["id"]),
        "project": (view.project, run["project_name"]),
        "workflow": (view.workflow_name, run["workflow_name"]),
        "project version": (view.project_version, run["project_version"]),
        "runner type": (view.runner.type, run["runner_type"]),
        "runner URL": (view.runner.url, run["runner_url"]),
        "runner environment": (view.runner.environment or "unknown", run["runner_environment"] or "unknown"),
    }
    # R20: a late job left out what it could not ask; what it said is as true as of any other run.
    if view.organization or not run["late"]:
        said["organization"] = (view.organization, run["organization_name"])
    if view.workflow_id or not run["late"]:
        said["workflow id"] = (view.workflow_id, run["workflow_id"])
    if not run["late"]:
        said |= {
            "contract": (view.contract_name, run["contract_name"]),
            "contract revision": (view.contract_revision, run["contract_revision"]),
            "contract digest": (view.contract_digest, run["contract_digest"]),
            "token": (view.auth_id or run["token_id"], run["token_id"]),
        }
    ci = ci_document(view.ci) if view.ci else {"provider": "none"}
    said |= {f"CI fact {name}": (ci.get(name), run[column]) for name, column in _CI.items()}
    for name, (signed, held) in said.items():
        if signed != held and (signed or held):
            yield Finding("claim-differs", f"{name}: {_shown(signed)} is signed, the run's row has {_shown(held)}")


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return "nothing" if value in (None, "") else repr(str(value)[:200])
