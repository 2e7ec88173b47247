"""`chainloop workflow run`: list, describe, distrust."""

from __future__ import annotations

import click

from chainloop_ci.api.runs import WorkflowRun
from chainloop_ci.cli.command import Group
from chainloop_ci.cli.durations import parse_moment
from chainloop_ci.cli.listing import PAGING, date, paging_of, show_page, show_record
from chainloop_ci.cli.names import require_digest
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.run_filters import STATE_WORDS, require_commit, require_runner, require_state
from chainloop_ci.cli.run_view import RunView, commit_of, describe_document, describe_tables, list_document, state_text
from chainloop_ci.cli.table import Row
from chainloop_ci.cli.wiring import World
from chainloop_ci.client.operator import Operator, RunFilter, is_id
from chainloop_ci.errors import NotAllowedError, NotFoundError, UsageError

_LIST = (
    Option("workflow", ("--workflow",), "Only runs of this workflow.", metavar="NAME|ID"),
    Option("project", ("--project",), "Only runs of this project."),
    Option("state", ("--state",), f"Only runs in this state: {', '.join(STATE_WORDS)}.", metavar="STATE",
           replaces=("--status",)),
    Option("commit", ("--commit",), "Only runs of the commit that begins so.", metavar="SHA"),
    Option("digest", ("--digest",), "Only runs with this attestation, material or upload.", metavar="DIGEST"),
    Option("runner", ("--runner",), "Only runs on this runner type: GITHUB_ACTION.", metavar="TYPE"),
    Option("token_name", ("--token-name",), "Only runs begun with this token.", metavar="NAME|ID"),
    Option("since", ("--since",), "Only runs begun since then: 2026-01-31, 24h.", metavar="WHEN"),
    Option("until", ("--until",), "Only runs begun until then: 2026-01-31, 24h.", metavar="WHEN"),
    Option("full", ("--full",), "Show more of each: end, runner, commit, token.", Kind.SWITCH),
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
_HEX_DIGITS = 64
"""Of a digest without its algorithm, as `sha256sum` prints it."""
_EXAMPLE_ID = "a6ec0229-7796-46fc-8df2-a03f4bddab47"
_SUMMARIES = ("table", "json")
_FORMATS = (*_SUMMARIES, "statement", "attestation", "payload-pae")


@click.group(cls=Group, aliases=("workflow-run",))
def run() -> None:
    """See runs and what they attested."""


@run.command("list", aliases=("ls",), options=_LIST)
@click.pass_obj
def list_(
    world: World,
    /,
    workflow: str | None,
    project: str | None,
    state: str | None,
    commit: str | None,
    digest: str | None,
    runner: str | None,
    token_name: str | None,
    since: str | None,
    until: str | None,
    full: bool,
    limit: int | None,
    cursor: str | None,
) -> None:
    """List runs, newest first."""
    wanted = RunFilter(
        workflow=workflow,
        project=project,
        state=None if state is None else require_state(state),
        commit=None if commit is None else require_commit(commit),
        digest=None if digest is None else require_digest(digest),
        runner=None if runner is None else require_runner(runner),
        token=token_name,
        since=None if since is None else parse_moment(since, "--since", world.now()),
        until=None if until is None else parse_moment(until, "--until", world.now()),
    )
    page = world.operator().list_runs(wanted, paging_of(limit, cursor))
    nothing = "no runs yet" if wanted == RunFilter() else "no run fits these options"
    header = ("ID", "Project", "Workflow", "State", "Created at", "Run URL")
    more = ("Finished at", "Version", "Runner", "Commit", "Token")
    show_page(world, page, (*header, *more * full), lambda item: (
        item.id, item.project, item.workflow, state_text(item), date(item.created_at), item.runner_url,
        *(_more_of(item) if full else ()),
    ), document=list_document, nothing=nothing)  # fmt: skip


def _more_of(item: WorkflowRun) -> Row:
    return (date(item.finished_at), item.project_version, item.runner_type, commit_of(item), item.token_name)


@run.command("describe", options=_DESCRIBE, formats=_FORMATS)
@click.argument("named", metavar="[ID|DIGEST]", required=False)
@click.pass_obj
def describe(
    world: World, named: str | None, run_id: str | None, digest: str | None, check: bool, key: str | None
) -> None:
    """Show a run, what it attested and what of it is proven."""
    if named and (named.startswith("sha256:") or len(named) == _HEX_DIGITS):
        digest = digest or named
    run_id = run_id or (named if named != digest else None)
    _require_one(run_id, digest)
    operator = world.operator()
    view = _fetch(world, operator, run_id, digest, needs_attestation=check or world.format not in _SUMMARIES)
    if check:
        view = _verified_here(world, view, key)
    if world.format == "table":
        world.output.table(*describe_tables(view))
    elif world.format == "json":
        world.output.document(describe_document(view, operator.get_contract_revision(*view.contract)))
    else:
        _show_attestation(world, view)


def _require_one(run_id: str | None, digest: str | None) -> None:
    if bool(run_id) == bool(digest):
        raise UsageError(
            "say which run: its id, or the digest of its attestation", hint="`chainloop workflow run list` shows ids"
        )
    if run_id and not is_id(run_id.lower()):
        raise UsageError(
            f"expected the id of a run like {_EXAMPLE_ID}, or a digest like sha256:<64 hexadecimal digits>, "
            f"found {run_id[:80]!r}",
            hint="`chainloop workflow run list` shows the ids",
        )
    if digest:
        require_digest(digest)


def _fetch(
    world: World, operator: Operator, run_id: str | None, digest: str | None, *, needs_attestation: bool
) -> RunView:
    """Return the run; a job's token may see the runs of its scope, and not what they attested byte for byte (R1)."""
    detail = operator.get_run(run_id.lower()) if run_id else operator.get_run_by_digest(require_digest(digest or ""))
    stored = detail.run.attestation_digest
    try:
        return RunView(detail, operator.get_attestation(stored) if stored else None)
    except NotAllowedError as error:
        if needs_attestation:
            raise
        world.output.warning(f"the attestation itself is left out: {error.message}")
        return RunView(detail, None)


def _verified_here(world: World, view: RunView, key: str | None) -> RunView:
    """Check the signature without the control plane's word; a failure ends the command with 7, 8 or 9."""
    from chainloop_ci.attestation.verification import check_signature
    from chainloop_ci.cli.verification_keys import load_typed_key
    from chainloop_ci.errors import NothingToVerifyError

    if view.bundle is None:
        raise NothingToVerifyError(f"the run {view.detail.run.id} has no attestation")
    signer = check_signature(view.bundle, [load_typed_key(world, "--key", key)] if key else [])
    world.output.info("the signature is valid; what the statement says is its signer's word", key=signer.key_id)
    return view


@run.command("distrust", options=(_DESCRIBE[0], Option("reason", ("--reason",), "Why, for people.", required=True)))
@click.argument("named", metavar="[ID]", required=False)
@click.pass_obj
def distrust(world: World, named: str | None, run_id: str | None, reason: str) -> None:
    """Let a run count as success nowhere; what it attested stays as it is."""
    from chainloop_ci.api.overrides import OverrideRequest
    from chainloop_ci.api.words import OverrideKind
    from chainloop_ci.cli.overrides import override_rows

    wanted = run_id or named
    _require_one(wanted, None)
    request = OverrideRequest(OverrideKind.DISTRUST, reason, run_id=(wanted or "").lower())
    made = world.operator().set_override(request)
    show_record(world, made, override_rows(made))
    world.output.info(
        "the run counts as success nowhere", undo=f"chainloop workflow override end {made.id} --reason TEXT"
    )


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
