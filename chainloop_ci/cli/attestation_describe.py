"""What `attestation describe` shows of a file: what it says, and who says it signed. Nothing is verified (R9, R12)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from chainloop_ci.attestation.bundle import Bundle, pae, read_bundle
from chainloop_ci.attestation.reader import read_statement
from chainloop_ci.attestation.times import render_time
from chainloop_ci.attestation.verification import key_id_of_hint
from chainloop_ci.attestation.view import StatementView
from chainloop_ci.cli.attestation_verify import read_bundle_bytes
from chainloop_ci.cli.run_view import material_document, material_value, named_values
from chainloop_ci.cli.status_view import runner_text
from chainloop_ci.cli.table import RULE, Row, Table
from chainloop_ci.cli.wiring import World

_NOT_VERIFIED = "nothing was verified, everything here is what the file says; see `chainloop attestation verify`"


def run_describe(world: World, path: str) -> None:
    """Show a bundle or an envelope, leniently read."""
    bundle = read_bundle(read_bundle_bytes(world, path))
    if world.format == "payload-pae":
        world.output.raw(pae(bundle))
        return
    if world.format == "statement":
        _show_payload(world, bundle)
        return
    said = read_statement(bundle.payload)
    for deviation in bundle.deviations:
        world.output.warning(f"the control plane would not store it: {deviation}")
    if world.format == "json":
        world.output.document(describe_document(bundle, said))
    else:
        world.output.table(*describe_tables(bundle, said))
    world.output.info(_NOT_VERIFIED)


def describe_tables(bundle: Bundle, said: StatementView) -> list[Table]:
    """Return what is shown to people."""
    summary = [*_envelope_rows(bundle), RULE, *((label, text) for label, _, text in _statement_facts(said))]
    materials = [(item.name, item.type, material_value(item)) for item in said.materials]
    tables = [
        Table(summary, title="Attestation (not verified)"),
        Table(materials, title="Materials", header=("Name", "Type", "Value")),
        _pairs_table("Annotations", said.annotations),
        _pairs_table("Environment Variables", said.env),
    ]
    return [table for table in tables if table.rows]


def describe_document(bundle: Bundle, said: StatementView) -> dict[str, Any]:
    """Return what is shown to scripts; keys of `workflow run describe -o json` mean the same."""
    return {
        "digest": bundle.digest,
        "mediaType": bundle.media_type,
        "verified": False,
        "signer": signer_text(bundle),
        "envelope": {
            "payloadType": bundle.payload_type,
            "payload": base64.b64encode(bundle.payload).decode("ascii"),
            "signatures": [
                {"keyid": item.key_id, "sig": base64.b64encode(item.value).decode("ascii")}
                for item in bundle.signatures
            ],
        },
        "deviations": [deviation.to_dict() for deviation in bundle.deviations],
        "statement": {name: text for _, name, text in _statement_facts(said)},
        "materials": [material_document(item) for item in said.materials],
        "envvars": named_values(said.env),
        "annotations": named_values(said.annotations),
    }


def signer_text(bundle: Bundle) -> str:
    """Say who signed, by the file's own word."""
    if not bundle.signatures:
        return "nobody: there is no signature"
    if bundle.certificate is not None:
        return f"a certificate: {_certificate_text(bundle.certificate)}"
    named = key_id_of_hint(bundle.hint)
    return f"the key {named}" if named else f"a key called {bundle.hint!r}" if bundle.hint else "a key without a name"


def _certificate_text(der: bytes) -> str:
    from cryptography import x509

    try:
        found = x509.load_der_x509_certificate(der)
        subject, issuer = found.subject.rfc4514_string(), found.issuer.rfc4514_string()
        since, until = found.not_valid_before_utc, found.not_valid_after_utc
    except ValueError:
        return "one that cannot be read"
    return f"{subject}, issued by {issuer}, valid from {render_time(since)} to {render_time(until)}"


def _envelope_rows(bundle: Bundle) -> list[Row]:
    return [
        ("Attestation Digest", bundle.digest),
        ("Media Type", bundle.media_type or "none, a bare envelope"),
        ("Payload Type", bundle.payload_type),
        ("Signatures", str(len(bundle.signatures))),
        ("Signed By", signer_text(bundle)),
    ]


def _statement_facts(said: StatementView) -> list[tuple[str, str, str]]:
    """Return label, name in JSON, and text of what stands in the statement."""
    contract = f"{said.contract_name} (revision {said.contract_revision})" if said.contract_name else ""
    facts = [
        ("Statement Type", "type", said.statement_type),
        ("Predicate Type", "predicateType", said.predicate_type),
        ("Organization", "organization", said.organization),
        ("Project", "project", said.project),
        ("Project Version", "projectVersion", said.project_version),
        ("Name", "workflow", said.workflow_name),
        ("Team", "team", said.team),
        ("Attestation ID", "attestationID", said.run_id),
        ("Contract", "contract", contract),
        ("Runner Type", "runnerType", runner_text(said.runner.type)),
        ("Runner Link", "runnerURL", said.runner.url),
        ("Workflow File", "workflowFile", said.runner.workflow_file_path),
        ("Called Workflow", "calledWorkflow", said.runner.called_workflow),
        ("Commit", "commit", said.head.hash if said.head else ""),
        ("Initialized At", "initializedAt", render_time(said.initialized_at) if said.initialized_at else ""),
        ("Finished At", "finishedAt", render_time(said.finished_at) if said.finished_at else ""),
    ]
    return [fact for fact in facts if fact[2]]


def _pairs_table(title: str, pairs: Mapping[str, str]) -> Table:
    return Table(sorted(pairs.items()), title=title, header=("Name", "Value"))


def _show_payload(world: World, bundle: Bundle) -> None:
    from chainloop_ci.attestation.strict_json import parse_strict

    world.output.document(parse_strict(bundle.payload))
