"""`chainloop workflow run`: list, describe."""

from __future__ import annotations

import click

from chainloop_ci.cli.command import Group, parameters
from chainloop_ci.cli.durations import parse_moment
from chainloop_ci.cli.listing import PAGING, date, paging_of, show_page
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.run_view import RunView, describe_document, describe_tables, list_document, state_text
from chainloop_ci.cli.wiring import World
from chainloop_ci.client.operator import Operator, RunFilter
from chainloop_ci.digests import parse_digest
from chainloop_ci.errors import NotFoundError, UsageError

_LIST = (
    Option("workflow", ("--workflow",), "Only runs of this workflow.", metavar="NAME|ID"),
    Option("project", ("--project",), "Only runs of this project."),
    Option("state", ("--state",), "Only runs in this state: initialized, success, error, canceled, expired.",
           replaces=("--status",)),
    Option("commit", ("--commit",), "Only runs of the commit that begins so.", metavar="SHA"),
    Option("digest", ("--digest",), "Only runs with this attestation or material.", metavar="DIGEST"),
    Option("runner", ("--runner",), "Only runs on this runner type: GITHUB_ACTION.", metavar="TYPE"),
    Option("token_name", ("--token-name",), "Only runs begun with this token.", metavar="NAME|ID"),
    Option("since", ("--since",), "Only runs begun since then: 2026-01-31, 24h.", metavar="WHEN"),
    Option("until", ("--until",), "Only runs begun until then.", metavar="WHEN"),
    *PAGING,
)  # fmt: skip
_DESCRIBE = (
    Option("run_id", ("--id",), "Id of the run.", metavar="ID"),
    Option("digest", ("--digest", "-d"), "Digest of its attestation.", metavar="DIGEST"),
    Option("check", ("--verify",), "Verify the signature here as well, with --key.", Kind.SWITCH),
    Option(
        "key",
        ("--key", "-k"),
        "Public key: a path, env://NAME, PEM text, or base64 of it.",
        env="CHAINLOOP_SIGNING_PUBLIC_KEY",
        metavar="KEY",
    ),
)
_FORMATS = ("table", "json", "statement", "attestation", "payload-pae")


@click.group(cls=Group, aliases=("workflow-run",))
def run() -> None:
    """See runs and what they attested."""


@run.command("list", aliases=("ls",), params=parameters(_LIST))
@click.pass_obj
def list_(
    world: World,
    /,
    workflow: str | None,
    project: str | None,
    since: str | None,
    until: str | None,
    token_name: str | None,
    limit: int | None,
    cursor: str | None,
    **equal: str | None,
) -> None:
    """List runs, newest first."""
    wanted = RunFilter(
        workflow=workflow,
        project=project,
        token=token_name,
        since=None if since is None else parse_moment(since, "--since", world.now()),
        until=None if until is None else parse_moment(until, "--until", world.now()),
        **equal,
    )
    page = world.operator().list_runs(wanted, paging_of(limit, cursor))
    header = ("ID", "Project", "Workflow", "State", "Created at", "Run URL")
    show_page(world, page, header, lambda item: (
        item.id, item.project, item.workflow, state_text(item), date(item.created_at), item.runner_url,
    ), document=list_document)  # fmt: skip


@run.command("describe", params=parameters(_DESCRIBE), formats=_FORMATS)
@click.argument("named", metavar="[ID|DIGEST]", required=False)
@click.pass_obj
def describe(
    world: World, named: str | None, run_id: str | None, digest: str | None, check: bool, key: str | None
) -> None:
    """Show a run, what it attested and what of it is proven."""
    if named and named.startswith("sha256:"):
        digest = digest or named
    operator = world.operator()
    view = _fetch(operator, run_id or (named if named != digest else None), digest)
    if check:
        view = _verified_here(world, view, key)
    if world.format == "table":
        world.output.table(*describe_tables(view))
    elif world.format == "json":
        world.output.document(describe_document(view, operator.get_contract_revision(*view.contract)))
    else:
        _show_attestation(world, view)


def _fetch(operator: Operator, run_id: str | None, digest: str | None) -> RunView:
    if bool(run_id) == bool(digest):
        raise UsageError(
            "say which run: its id, or the digest of its attestation", hint="`chainloop workflow run list` shows both"
        )
    detail = operator.get_run(run_id) if run_id else operator.get_run_by_digest(parse_digest(digest or ""))
    stored = detail.run.attestation_digest
    return RunView(detail, operator.get_attestation(stored) if stored else None)


def _verified_here(world: World, view: RunView, key: str | None) -> RunView:
    """Check the signature without the control plane's word; a failure ends the command with 7, 8 or 9."""
    from chainloop_ci.attestation.verification import check_signature
    from chainloop_ci.cli.attestation_verify import load_public_key_reference
    from chainloop_ci.errors import NothingToVerifyError

    if view.bundle is None:
        raise NothingToVerifyError(f"the run {view.detail.run.id} has no attestation")
    verified = check_signature(view.bundle, [load_public_key_reference(world, key)] if key else [])
    world.output.info("the signature is valid; what the statement says is its signer's word", key=verified.key.key_id)
    return view


def _show_attestation(world: World, view: RunView) -> None:
    from chainloop_ci.attestation.bundle import pae
    from chainloop_ci.attestation.strict_json import parse_strict

    if view.bundle is None or view.raw is None:
        raise NotFoundError(
            f"the run {view.detail.run.id} has no attestation, its state is {view.detail.run.state}",
            hint="`-o table` shows why a store was refused",
        )
    if world.format == "statement":
        world.output.document(parse_strict(view.bundle.payload))
    else:
        world.output.raw(view.raw if world.format == "attestation" else pae(view.bundle))
