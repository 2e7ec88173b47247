"""Many contracts and workflows in one request: what `chainloop apply` sends."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from chainloop_ci.api.limits import LINES_PATTERN, MAX_NAME, NAME_PATTERN
from chainloop_ci.api.record import about
from chainloop_ci.api.sources import SourceRequest
from chainloop_ci.contract.types import ContractFormat
from chainloop_ci.records import record

MAX_APPLY_ITEMS = 100
"""Contracts of one request, and workflows of one request: nobody else writes while they are stored."""
MAX_APPLY_BYTES = 2 * 1024 * 1024
"""Body of one request: room for the largest contract, written as base64."""

_CONTRACT_NAME = about("Name of a contract.", pattern=NAME_PATTERN, maxLength=2 * MAX_NAME + 1)


class AppliedKind(StrEnum):
    """What a document describes."""

    PROJECT = "project"
    """Made for a workflow; it has no document of its own."""
    CONTRACT = "contract"
    WORKFLOW = "workflow"


class AppliedResult(StrEnum):
    """What became of it."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@record
class AppliedContract:
    """A contract that there shall be."""

    name: Annotated[str, _CONTRACT_NAME]
    raw_body: Annotated[str, about("The exact bytes, base64.", maxLength=MAX_APPLY_BYTES)]
    format: ContractFormat
    enforce_from: Annotated[
        str | None,
        about(
            "R38: from when on runs have to meet it, RFC 3339 or `now`. It dates a revision that is new or still "
            "waits; a contract's first one has none, and one that is enforced stays so.",
            maxLength=40,
        ),
    ] = None


@record
class AppliedWorkflow:
    """A workflow that there shall be; what is left out stays as it is, and is the usual in a new one."""

    name: Annotated[str, about("DNS-1123 label, unique in its project.", pattern=NAME_PATTERN, maxLength=MAX_NAME)]
    project: Annotated[str, about("DNS-1123 label.", pattern=NAME_PATTERN, maxLength=MAX_NAME)]
    contract: Annotated[str | None, _CONTRACT_NAME] = None
    team: Annotated[str | None, about("For people.", maxLength=100)] = None
    description: Annotated[str | None, about("For people.", pattern=LINES_PATTERN, maxLength=500)] = None
    source: Annotated[SourceRequest | None, about("Where its code lives.")] = None


@record
class ApplyRequest:
    """Make it so that there are these contracts and workflows: all of them, or none."""

    contracts: Annotated[tuple[AppliedContract, ...], about("Stored first.", maxItems=MAX_APPLY_ITEMS)] = ()
    workflows: Annotated[
        tuple[AppliedWorkflow, ...], about("Their projects come with them.", maxItems=MAX_APPLY_ITEMS)
    ] = ()
    dry_run: Annotated[bool, about("Find out what would change, and change nothing.")] = False
    announced: Annotated[
        tuple[str, ...],
        about("With `dryRun`: names of contracts that other requests are going to store.", maxItems=MAX_APPLY_ITEMS),
    ] = ()


@record
class AppliedItem:
    """What became of one thing."""

    kind: AppliedKind
    name: str
    result: AppliedResult
    project: Annotated[str | None, about("Of a workflow.")] = None
    revision: Annotated[int | None, about("Of a contract: the newest.")] = None
    enforced_from: Annotated[datetime | None, about("Of a contract whose newest revision waits: its date.")] = None
    warnings: Annotated[tuple[str, ...], about("What its author should know.")] = ()


@record
class Applied:
    """What became of every thing: projects, then contracts, then workflows, in the order of the request."""

    items: tuple[AppliedItem, ...]
    dry_run: bool = False
