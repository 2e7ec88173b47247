"""What a CI system is told of one command: plain records, before anybody decides how they are written.

All texts are as they came: names, values and messages of others. Each renderer makes them harmless for its own reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from chainloop_ci.records import record


class Mark(StrEnum):
    """How one requirement of the contract stands."""

    MET = "met"
    FAILED = "failed"
    OPEN = "open"
    """Not met yet, and the command was not the one that needs it."""


@record
class Problem:
    """One thing that is missing or wrong."""

    title: str
    """Two or three words: «Missing material»."""
    message: str
    """What was expected, what was found."""
    fix: str = ""
    """What to type about it."""
    subject: str = ""
    """The requirement that it is about, as `Requirement.name` has it; empty: about none."""
    file: str = ""
    """Where to look, below the repository's root, with slashes; empty: nowhere in particular."""
    line: int | None = None
    """Counted from 1."""


@record
class MaterialLine:
    """One material: an entry of the contract, something that was added, or both."""

    name: str
    type: str
    value: str = ""
    """The text, the file's name or the image; empty when nothing was added."""
    digest: str = ""
    required: bool = False
    status: str = ""
    """In words: `added`, `missing`, `wrong`."""


@record
class Requirement:
    """One thing that the contract asks for."""

    name: str
    """`material sbom (SBOM_CYCLONEDX_JSON)`; unique in one report."""
    mark: Mark = Mark.MET


@record
class Report:
    """What became of one command."""

    command: str
    """`attestation push`."""
    verdict: str
    """One sentence in plain words, first of all."""
    failed: bool = False
    """Whether the command failed, whatever status it ends with."""
    tolerated: bool = False
    """Whether the job goes on all the same, as one without secrets does: nothing is shown as an error."""
    advice: str = ""
    """What to do about a failure that `problems` do not explain."""
    notice: str = ""
    """Why nothing is stored though nothing failed, and what to do about it."""
    workflow: str = ""
    project: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    """Names and values for a table: contract, run, digest."""
    link: str = ""
    """Page of the run on the control plane, http(s)."""
    problems: tuple[Problem, ...] = ()
    """What is missing or wrong, whether or not the command failed by it."""
    warnings: tuple[str, ...] = ()
    materials: tuple[MaterialLine, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    """The step's outputs by name, each known one."""
