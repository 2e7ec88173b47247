"""`chainloop workflow`: create, update, delete, describe, list; other commands and groups of it are loaded lazily."""

from __future__ import annotations

from typing import Any

import click

from chainloop_ci.api.sources import SourceState, WorkflowSource
from chainloop_ci.api.workflows import Workflow, WorkflowChange, WorkflowRequest
from chainloop_ci.cli.command import Group, Lazy
from chainloop_ci.cli.durations import parse_run_expiry, render_duration
from chainloop_ci.cli.listing import PAGING, date, paging_of, require_consent, show_page, show_record
from chainloop_ci.cli.names import require_names
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.source_options import SOURCE, TypedSource, warn_of_unlisted
from chainloop_ci.cli.status_view import runner_text
from chainloop_ci.cli.table import Row
from chainloop_ci.cli.which_workflow import WHICH, find_workflow
from chainloop_ci.cli.wiring import World
from chainloop_ci.client.operator import Operator
from chainloop_ci.errors import ConflictError, NotFoundError, UsageError

_TEAM = Option("team", ("--team",), "Team, for people.")
_DESCRIPTION = Option("description", ("--description",), "For people.")
_RUN_EXPIRY = Option(
    "run_expiry", ("--run-expiry",), "Life of a run after its last request: 6h (1m to 30d).", metavar="DURATION"
)
_CREATE = (
    Option("name", ("--name",), "Name, unique in the project.", required=True),
    Option("project", ("--project",), "Project; made when it is new.", required=True),
    Option("contract", ("--contract",), "Name of a stored contract; without it one is made that asks for nothing."),
    _TEAM,
    _DESCRIPTION,
    _RUN_EXPIRY,
    *SOURCE,
    Option("skip_if_exists", ("--skip-if-exists", "-f"), "Succeed when there is one already.", Kind.SWITCH),
)
_MINIMUM_REVISION = Option(
    "minimum_revision",
    ("--minimum-revision",),
    "Oldest contract revision that runs may be pinned to; 0: the enforced one.",
    Kind.NUMBER,
    metavar="N",
)
_PUBLIC_CONTRACT = Option(
    "public_contract",
    ("--public-contract",),
    "on: anybody who knows its address may read the contract, for jobs without secrets; off: nobody may.",
    Kind.CHOICE,
    choices=("on", "off"),
)
_PUBLIC_VERDICT = Option(
    "public_verdict",
    ("--public-verdict",),
    "on: anybody who knows the page of a verdict sees its state, name and time; off: readers do.",
    Kind.CHOICE,
    choices=("on", "off"),
)
_UPDATE = (
    *WHICH,
    Option("contract", ("--contract",), "Name of another contract."),
    _TEAM,
    _DESCRIPTION,
    _RUN_EXPIRY,
    _MINIMUM_REVISION,
    _PUBLIC_CONTRACT,
    _PUBLIC_VERDICT,
    *SOURCE,
)
_LIST = (
    Option("project", ("--project",), "Only workflows of this project."),
    Option("contract", ("--contract",), "Only those that use this contract."),
    *PAGING,
)
_GROUPS = (
    Lazy("contract", "chainloop_ci.cli.contract:contract", "Manage contracts and check their files."),
    Lazy("source", "chainloop_ci.cli.workflow_source:source", "Manage where the code of workflows lives."),
    Lazy(
        "block",
        "chainloop_ci.cli.overrides:block",
        "Let nothing of a workflow begin, until it is unblocked; its commits fail.",
    ),
    Lazy("unblock", "chainloop_ci.cli.overrides:unblock", "End the block of a workflow."),
    Lazy(
        "override",
        "chainloop_ci.cli.overrides:override",
        "Let a commit pass for a workflow until a date, with a reason; or see what is in force.",
    ),
    Lazy("drift", "chainloop_ci.cli.drift:drift", "List what has drifted from what operators asked for."),
    Lazy("run", "chainloop_ci.cli.run:run", "See runs and what they attested.", ("workflow-run",)),
)


@click.group(cls=Group, aliases=("wf",), lazy=_GROUPS)
def workflow() -> None:
    """Manage workflows, their contracts and runs."""


@workflow.command("create", options=_CREATE)
@click.pass_obj
def create(
    world: World,
    /,
    name: str,
    project: str,
    contract: str | None,
    team: str | None,
    description: str | None,
    run_expiry: str | None,
    skip_if_exists: bool,
    **typed: Any,
) -> None:
    """Create a workflow, and its project when it is new."""
    require_names(workflow=name, project=project, contract=contract)
    source = TypedSource(**typed).request() if TypedSource(**typed).is_given else None
    request = WorkflowRequest(name, project, contract, team or "", description or "", _seconds(run_expiry), source)
    operator = world.operator()
    try:
        made = operator.create_workflow(request)
    except ConflictError as error:
        if not skip_if_exists:
            raise
        made = _find_existing(operator, name, project, error)
        world.output.info("there is such a workflow already", name=name, project=project)
    else:
        world.output.info("workflow created", name=name, project=project)
        if contract is None:
            _warn_of_empty(world, made)
    show_record(world, made, _rows(made, operator))


@workflow.command("list", aliases=("ls",), options=_LIST)
@click.pass_obj
def list_(world: World, project: str | None, contract: str | None, limit: int | None, cursor: str | None) -> None:
    """List workflows with the state of their last run."""
    page = world.operator().list_workflows(paging_of(limit, cursor), project=project, contract=contract)
    nothing = "no workflow fits these options" if project or contract else "no workflows yet"
    header = ("ID", "Name", "Project", "Team", "Created at", "# runs", "Last run status")
    show_page(world, page, header, lambda item: (
        item.id, item.name, item.project, item.team, date(item.created_at), str(item.runs_count),
        _last_state(item),
    ), right=frozenset({5}), nothing=nothing)  # fmt: skip


@workflow.command("describe", options=WHICH)
@click.argument("named", metavar="[NAME|ID]", required=False)
@click.pass_obj
def describe(world: World, named: str | None, name: str | None, project: str | None) -> None:
    """Show a workflow."""
    operator = world.operator()
    found = find_workflow(operator, named or name, project)
    show_record(world, found, _rows(found, operator))


@workflow.command("update", options=_UPDATE)
@click.argument("named", metavar="[NAME|ID]", required=False)
@click.pass_obj
def update(
    world: World,
    /,
    named: str | None,
    name: str | None,
    project: str | None,
    contract: str | None,
    team: str | None,
    description: str | None,
    run_expiry: str | None,
    minimum_revision: int | None,
    public_contract: str | None,
    public_verdict: str | None,
    **typed: Any,
) -> None:
    """Change a workflow's contract, team, description, expiry, minimum revision or source; what is left out stays."""
    public = _switch(public_contract), _switch(public_verdict)
    change = WorkflowChange(contract, team, description, _seconds(run_expiry), minimum_revision, *public)
    source = TypedSource(**typed)
    if change == WorkflowChange() and not source.is_given:
        raise UsageError("there is nothing to change", hint="see `chainloop workflow update --help`")
    require_names(contract=contract)
    operator = world.operator()
    changed = find_workflow(operator, named or name, project)
    registered: WorkflowSource | None = None
    if source.is_given:
        # First: it is what may be refused.
        registered = operator.put_source(changed.id, source.request(_registered_source(operator, changed)))
    if change != WorkflowChange():
        changed = operator.update_workflow(changed.id, change)
    show_record(world, changed, _rows(changed, operator))
    world.output.info("workflow updated", name=changed.name, project=changed.project)
    if registered is not None:
        world.output.info(
            "its source is registered", next=f"chainloop workflow source show {changed.project}/{changed.name}"
        )
        warn_of_unlisted(world, registered)


@workflow.command("delete", options=WHICH)
@click.argument("named", metavar="[NAME|ID]", required=False)
@click.pass_obj
def delete(world: World, named: str | None, name: str | None, project: str | None) -> None:
    """Delete a workflow that never had a run."""
    operator = world.operator()
    found = find_workflow(operator, named or name, project)
    require_consent(world, f"Delete the workflow {found.project}/{found.name}?")
    operator.delete_workflow(found.id)
    if world.format == "json":
        world.output.document({"deleted": True, "id": found.id, "name": found.name, "project": found.project})
    world.output.info("workflow deleted", name=found.name, project=found.project)


def _find_existing(operator: Operator, name: str, project: str, refused: ConflictError) -> Workflow:
    """Return the workflow that is there already; when there is none, something else of the request was refused."""
    try:
        return operator.find_workflow(name, project)
    except NotFoundError:
        raise refused from None


def _registered_source(operator: Operator, workflow: Workflow) -> WorkflowSource | None:
    try:
        found = operator.get_source(workflow.id)
    except NotFoundError:
        return None
    return found if found.state is SourceState.ACCEPTED else None


def _warn_of_empty(world: World, made: Workflow) -> None:
    """Say that every run will be green: the contract that was made asks for nothing (R37)."""
    world.output.warning(
        "its new contract is empty: runs need nothing to succeed and are shown with «no requirements»; store one with "
        f"`chainloop workflow contract apply --name {made.contract} -f contract.yaml`",
        contract=made.contract,
    )


def _seconds(run_expiry: str | None) -> int | None:
    return None if run_expiry is None else parse_run_expiry(run_expiry)


def _switch(word: str | None) -> bool | None:
    return None if word is None else word == "on"


def _public_address(item: Workflow, operator: Operator) -> str:
    public_id = item.public_contract_id
    return operator.http.url_of(f"public/contracts/{public_id}") if public_id else ""


def _last_state(item: Workflow) -> str:
    """Return the state of the last run; a late one (R20) and a distrusted one (R39) are called so in whatever state."""
    notes = ["late"] * item.last_run_late + ["distrusted"] * item.last_run_distrusted
    return f"{item.last_run_state} ({', '.join(notes)})" if notes else item.last_run_state or ""


def _rows(item: Workflow, operator: Operator) -> list[Row]:
    return [
        ("ID", item.id),
        ("Name", item.name),
        ("Team", item.team),
        ("Project", item.project),
        ("Organization", item.organization),
        ("Description", item.description),
        ("Contract", f"{item.contract} (revision {item.contract_revision})"),
        ("Public Contract", _public_address(item, operator)),
        ("Public Verdict", "state, name and time" if item.public_verdict else ""),
        ("Minimum Revision", str(item.minimum_revision) if item.minimum_revision else ""),
        ("Run Expiry", render_duration(item.run_expiry_seconds) if item.run_expiry_seconds else ""),
        ("Created At", date(item.created_at)),
        ("# Runs", str(item.runs_count)),
        ("Last Run", item.last_run_id or ""),
        ("Last Run Status", _last_state(item)),
        ("Last Run At", date(item.last_run_at)),
        ("Last Runner Type", runner_text(item.last_runner_type) if item.last_runner_type else ""),
    ]
