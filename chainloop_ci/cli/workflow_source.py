"""`chainloop workflow source`: show, accept, update, remove, list; the group `secret`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from chainloop_ci.api.sources import SourceChange, SourceState, WorkflowSource
from chainloop_ci.cli.command import Group, Lazy
from chainloop_ci.cli.durations import render_duration
from chainloop_ci.cli.exit_codes import FAILURE
from chainloop_ci.cli.listing import PAGING, date, paging_of, require_consent, show_page, show_record
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.source_options import EXPECTED_RUNS, TypedSource, is_unlisted, warn_of_unlisted
from chainloop_ci.cli.table import Row
from chainloop_ci.cli.which_workflow import WHICH, find_registered_source, find_workflow
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import NotFoundError, UsageError

_PUBLIC = {True: "yes", False: "no", None: "the forge has not told"}
_GROUPS = (Lazy("secret", "chainloop_ci.cli.source_secret:secret", "Manage what the forge signs its webhooks with."),)


@click.group(cls=Group, lazy=_GROUPS)
def source() -> None:
    """Manage where the code of workflows lives."""


@source.command("show", aliases=("describe",), options=WHICH)
@click.argument("named", metavar="[NAME|ID]", required=False)
@click.pass_obj
def show(world: World, named: str | None, name: str | None, project: str | None) -> None:
    """Show a workflow's source, or the one that its first attestation claimed."""
    operator = world.operator()
    found = operator.get_source(find_workflow(operator, named or name, project).id)
    show_record(world, found, rows(found))
    if found.state is SourceState.CLAIMED:
        world.output.info("only claimed by an attestation: accept it with `chainloop workflow source accept`")


@source.command("accept", options=(*WHICH, *EXPECTED_RUNS))
@click.argument("named", metavar="[NAME|ID]", required=False)
@click.pass_obj
def accept(world: World, /, named: str | None, name: str | None, project: str | None, **typed: Any) -> None:
    """Register the source that a workflow's first attestation claimed."""
    operator = world.operator()
    workflow = find_workflow(operator, named or name, project)
    found = operator.get_source(workflow.id)
    if found.state is SourceState.ACCEPTED:
        show_record(world, found, rows(found))
        world.output.info("the workflow has a registered source already", source=found.source)
        return
    request = TypedSource(**typed).request(found)
    if world.format != "json":
        show_record(world, found, rows(found), title="Claimed, by nobody but the job itself")
    _require_yes(world, f"Register {request.source} as the source of {workflow.project}/{workflow.name}?")
    accepted = operator.put_source(workflow.id, request)
    if world.format == "json":
        show_record(world, accepted, rows(accepted))
    world.output.info("source accepted", source=accepted.source, name=workflow.name, project=workflow.project)
    warn_of_unlisted(world, accepted)


_SETTINGS = (
    Option(
        "names_in_public",
        ("--names-in-public",),
        "on: statuses, issues and notes there name materials and workflows although anybody reads them; off: numbers.",
        Kind.CHOICE,
        choices=("on", "off"),
    ),
    Option(
        "untrusted_heads_pass",
        ("--untrusted-heads-pass",),
        "on: heads without secrets (forks, bots) pass unattested, which opens a required check; off: they wait.",
        Kind.CHOICE,
        choices=("on", "off"),
    ),
    Option(
        "token_is_protected",
        ("--token-is-protected",),
        "on: GitLab's jobs have the token as a protected variable, so unprotected refs lack it; off: every job has it.",
        Kind.CHOICE,
        choices=("on", "off"),
    ),
)


@source.command("update", options=(*WHICH, *_SETTINGS))
@click.argument("named", metavar="[NAME|ID]", required=False)
@click.pass_obj
def update(world: World, /, named: str | None, name: str | None, project: str | None, **typed: str | None) -> None:
    """Change what holds for the repository of a workflow, and so for all workflows that come from it."""
    change = SourceChange(**{setting: None if word is None else word == "on" for setting, word in typed.items()})
    if change == SourceChange():
        flags = ", ".join(option.flags[0] for option in _SETTINGS)
        raise UsageError("nothing to change was given", hint=f"say what: {flags}")
    operator = world.operator()
    source_id, found = find_registered_source(operator, named or name, project)
    if change.untrusted_heads_pass:
        require_consent(world, f"Let commits that nobody attested through the required checks of {found.source}?")
    changed = operator.change_source(source_id, change)
    after = replace(
        found,
        public=changed.public,
        names_in_public=changed.names_in_public,
        untrusted_heads_pass=changed.untrusted_heads_pass,
        token_is_protected=changed.token_is_protected,
    )
    show_record(world, after, rows(after))
    world.output.info("source updated", source=changed.source, workflows=changed.workflows)


@source.command("remove", options=WHICH)
@click.argument("named", metavar="[NAME|ID]", required=False)
@click.pass_obj
def remove(world: World, named: str | None, name: str | None, project: str | None) -> None:
    """Take the registered source from a workflow; its commits get no verdict any more."""
    operator = world.operator()
    found = find_workflow(operator, named or name, project)
    registered = operator.get_source(found.id)
    if registered.state is SourceState.CLAIMED:
        raise NotFoundError(f"workflow {found.project}/{found.name} has no registered source, only a claimed one")
    require_consent(world, f"Take the source {registered.source} from the workflow {found.project}/{found.name}?")
    operator.delete_source(found.id)
    if world.format == "json":
        world.output.document({"removed": True, "id": found.id, "name": found.name, "project": found.project})
    world.output.info("source removed", name=found.name, project=found.project)


@source.command("list", aliases=("ls",), options=PAGING)
@click.pass_obj
def list_(world: World, limit: int | None, cursor: str | None) -> None:
    """List the repositories and jobs that workflows come from."""
    page = world.operator().list_sources(paging_of(limit, cursor))
    header = ("ID", "Source", "# workflows", "Default branch", "Created at")
    show_page(world, page, header, lambda item: (
        item.id, item.source, str(item.workflows), item.default_branch or "", date(item.created_at),
    ), right=frozenset({2}), nothing="no workflow has a registered source yet")  # fmt: skip


def _require_yes(world: World, question: str) -> None:
    """Ask before a claim becomes a fact. Where nobody can answer, nobody has looked: that is no consent.

    Raises:
        UsageError: nobody can answer, and `--yes` was not given.
        Exit: the answer is not yes.
    """
    if world.confirm(question):
        return
    if not world.stdin.isatty():
        raise UsageError(
            f"{question} Nobody is here to answer",
            hint="look at it with `chainloop workflow source show`, then repeat this with --yes",
        )
    world.output.info("nothing was changed: the question was not answered with yes")
    raise click.exceptions.Exit(FAILURE)


def rows(item: WorkflowSource) -> list[Row]:
    """Return the rows of the table that shows a workflow's source."""
    return [
        ("Source", item.source),
        ("State", item.state.value),
        ("Claimed By Run", item.run_id or ""),
        ("CI File", item.ci_file or "not recorded; name it with --ci-file"),
        ("Branch", item.branch or "every one"),
        ("Event", item.event or "every one"),
        ("Paths", ", ".join(item.paths) or "any file"),
        ("Cadence", render_duration(item.cadence_seconds) if item.cadence_seconds else ""),
        ("Grace", render_duration(item.grace_seconds)),
        ("Repository ID", "no registration lists it" if is_unlisted(item) else item.repository_id or ""),
        ("Public", _PUBLIC[item.public]),
        ("Names In Public", "yes" if item.names_in_public else ""),
        ("Token", "a protected variable" if item.token_is_protected else ""),
        ("Untrusted Heads", "pass without an attestation" if item.untrusted_heads_pass else ""),
        ("Created At", date(item.created_at)),
    ]
