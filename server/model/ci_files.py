"""What a CI file says about when it runs, as far as that can be known without running it.

Everything here errs to one side: what cannot be decided counts as «may run», so an attestation is waited for (R34).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from chainloop_ci.contract.nodes import plain
from chainloop_ci.contract.yaml12 import read_yaml
from chainloop_ci.errors import ChainloopError
from server.model.path_patterns import Effort


class Fires(StrEnum):
    """Whether a CI file runs on a change."""

    YES = "yes"
    NO = "no"
    MAYBE = "maybe"


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a branch, as the forge tells it."""

    event: str
    """`push`, `pull_request` (GitLab's merge requests, too) or `merge_group`."""
    branch: str
    """The one that the change is on, without `refs/heads/`."""
    base_branch: str | None = None
    """The one that it is for; None when it is for no other."""
    default_branch: str | None = None
    changed_paths: tuple[str, ...] | None = None
    """None: not known, or too many to list."""
    is_branch_new: bool = False
    """It was pushed for the first time."""
    effort: Effort = field(default_factory=Effort, init=False, compare=False, repr=False)
    """For comparing it with patterns, which whoever opens a pull request may have written. What is not decided when it
    is spent stays so."""

    @property
    def target_branch(self) -> str:
        """Return the branch whose rules hold: a pull request's copy of them does not (R34)."""
        return self.base_branch or self.branch


@dataclass(frozen=True, slots=True)
class CiFile:
    """A CI file of one revision of a repository."""

    exists: bool = True
    is_enabled: bool = True
    """The forge runs it; GitHub's workflows can be switched off."""
    fires: Callable[[Change], Fires] | None = None
    """None: it cannot be read, so nothing is known."""
    has_trigger: Callable[[str], bool] | None = None
    """Tells whether an event is named in it; None as above."""
    is_off: bool = False
    """None of its jobs can run: `if: false`, or `when: never`."""


ABSENT = CiFile(exists=False)


def read_mapping(raw: bytes) -> dict[str, object] | None:
    """Return a YAML file's mapping with the scalars of YAML 1.2 (`on` is a word); None: it cannot be read for sure."""
    try:
        tree = read_yaml(raw)
    except ChainloopError:
        return None
    found = plain(tree.root)
    # Tags and merge keys change what a file means, and are not followed here.
    return found if isinstance(found, dict) and not tree.findings else None


def texts(value: object) -> tuple[str, ...] | None:
    """Return a text or a list of texts as a tuple; None when it is neither."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return (str(value),)
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return tuple(str(item) for item in value)
    return None


def any_of(found: Iterable[Fires]) -> Fires:
    """Return whether at least one runs."""
    answers = set(found)
    if Fires.YES in answers:
        return Fires.YES
    return Fires.MAYBE if Fires.MAYBE in answers else Fires.NO


def all_of(found: Iterable[Fires]) -> Fires:
    """Return whether every condition holds."""
    answers = set(found)
    if Fires.NO in answers:
        return Fires.NO
    return Fires.MAYBE if Fires.MAYBE in answers else Fires.YES


def of_bool(holds: bool) -> Fires:
    """Return what is known for sure."""
    return Fires.YES if holds else Fires.NO
