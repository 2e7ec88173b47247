"""`chainloop audit`: a file with everything that an auditor has to see, and the proof that it is still that."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chainloop_ci import __version__
from chainloop_ci.attestation.times import render_time
from chainloop_ci.cli.command import Group
from chainloop_ci.cli.durations import parse_moment
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.table import Row, Table
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import ExportAlteredError, FileUnwritableError, UsageError

if TYPE_CHECKING:
    from chainloop_ci.audit.verify import Report

_EXPORT = (
    Option("project", ("--project",), "Only what belongs to this project.", metavar="NAME"),
    Option("since", ("--since",), "Only what began since then: 2026-01-31, 24h.", metavar="WHEN"),
    Option("until", ("--until",), "Only what began until then: 2026-01-31, 24h.", metavar="WHEN"),
    Option("manifest", ("--manifest",), "Write digests of all tables here, to be kept elsewhere.", Kind.PATH),
)
_VERIFY = (
    Option("manifest", ("--manifest",), "Compare with what `export --manifest` wrote at the time.", Kind.PATH),
    Option("digest", ("--digest",), "Expect this digest, which `export` ended with.", metavar="DIGEST"),
)
_MAX_MANIFEST_BYTES = 1024 * 1024


@click.group(cls=Group)
def audit() -> None:
    """Export everything for auditors, and verify such a file."""


@audit.command("export", options=_EXPORT)
@click.argument("file", metavar="FILE.db")
@click.pass_obj
def export(
    world: World, /, file: str, project: str | None, since: str | None, until: str | None, manifest: str | None
) -> None:
    """Write all records into an SQLite file; again: add what is new. An export that broke off goes on."""
    from chainloop_ci.client.audit_export import ExportFilter

    _require_sqlite_utils()
    from chainloop_ci.cli.audit_export import run_export

    now = world.now()
    wanted = ExportFilter(
        project,
        None if since is None else parse_moment(since, "--since", now),
        None if until is None else parse_moment(until, "--until", now),
    )
    result = run_export(world, world.cwd / file, wanted, __version__)
    if manifest is not None:
        _write_manifest(world.cwd / manifest, result.manifest)
    facts = {"file": file, "rows": result.rows, "added": result.added, "changed": result.changed, "gone": result.gone}
    if world.format == "json":
        world.output.document({**facts, "completedAt": render_time(now), "digest": result.manifest["digest"]})
        return
    rows: list[Row] = [(name.capitalize(), str(value)) for name, value in facts.items()]
    world.output.table(Table([*rows, ("Digest", result.manifest["digest"])]))
    world.output.info("keep the digest elsewhere: whoever changes the file cannot change it there")


@audit.command("verify", options=_VERIFY)
@click.argument("file", metavar="FILE.db")
@click.pass_obj
def verify(world: World, /, file: str, manifest: str | None, digest: str | None) -> None:
    """Check every signature, contract and row of an audit file again, without network."""
    from chainloop_ci.audit.verify import parse_manifest, verify_file
    from chainloop_ci.digests import parse_digest
    from chainloop_ci.signing.public_keys import load_public_key
    from chainloop_ci.small_files import read_small_file

    expected = None if digest is None else parse_digest(digest)
    kept = None
    if manifest is not None:
        kept = parse_manifest(read_small_file(world.cwd / manifest, "the manifest", _MAX_MANIFEST_BYTES).raw)
    report = verify_file(world.cwd / file, load_public_key, kept)
    _warn(world, report)
    _require_unaltered(report, file, expected)
    _show(world, report, is_compared=bool(kept or expected))


def _warn(world: World, report: Report) -> None:
    for name, count in sorted(report.revoked.items()):
        world.output.warning(
            "this key was revoked: somebody else may have made what it signed", key=name, attestations=count
        )


def _require_unaltered(report: Report, file: str, expected: str | None) -> None:
    if report.findings:
        more = f" (the first {len(report.findings)} are listed)" if report.findings_count > len(report.findings) else ""
        raise ExportAlteredError(
            f"{file} is not what was exported and signed: {report.findings_count} differences{more}",
            hint="export again, to another path, and compare the two",
            findings=report.findings,
        )
    if expected is not None and expected != report.digest:
        raise ExportAlteredError(
            f"{file} was changed as a whole: expected the digest {expected}, found {report.digest}",
            hint="compare with `--manifest`, which says in which tables; a later export changes the digest too",
        )


def _show(world: World, report: Report, *, is_compared: bool) -> None:
    facts = {
        "organization": report.about.get("organization", ""),
        "completedAt": report.about["completed_at"],
        "rows": report.rows,
        "attestations": report.attestations,
        "digest": report.digest,
    }
    if world.format == "json":
        world.output.document({"verified": True, **facts, "compared": is_compared})
        return
    labels = ("Organization", "Completed At", "Rows", "Attestations", "Digest")
    world.output.table(Table([(label, str(value)) for label, value in zip(labels, facts.values(), strict=True)]))
    if not is_compared:
        world.output.info(
            "only what is signed is proven: compare the rest with a digest or manifest that was kept elsewhere"
        )


def _require_sqlite_utils() -> None:
    """Tell how to install what writes the file; it is no part of a job's installation.

    Raises:
        UsageError: it is not there.
    """
    try:
        import sqlite_utils  # noqa: F401  # whether it is there
    except ImportError as error:
        raise UsageError(
            "`audit export` needs the Python package sqlite-utils, which is not installed beside chainloop",
            hint="install the extra `audit`: python -m pip install 'chainloop-ci[audit]', from a checkout '.[audit]'",
        ) from error


def _write_manifest(path: Path, document: dict[str, Any]) -> None:
    """Write the manifest whole or not at all; only its owner may read it.

    Raises:
        FileUnwritableError: it cannot be written.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(document, file, indent=3)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise FileUnwritableError(
            f"the export is complete, but its manifest cannot be written to {path}: {error.strerror or error}",
            hint="repeat the command with another path for it",
        ) from error
