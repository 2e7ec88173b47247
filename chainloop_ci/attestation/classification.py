"""Where each fact of a statement comes from, in one table (R13).

The statement is made by the job, and whoever controls the job could write anything into it. So every leaf says how far
the control plane stands behind it once the attestation is stored:

- *server-made*: the control plane gave the value out, and refuses a statement that holds another.
- *server-checked*: the control plane derives the value again from something it holds, and refuses a difference (R11).
- *tenant-declared*: the word of the job. What the forge corroborates (R30) is recorded beside it, not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

Path = tuple[str, ...]
"""Names from the root to a leaf; items of a list are called `[]`."""


class Origin(StrEnum):
    """Who stands behind a value."""

    SERVER_MADE = "server-made"
    SERVER_CHECKED = "server-checked"
    TENANT_DECLARED = "tenant-declared"


@dataclass(frozen=True, slots=True)
class Rule:
    """Origin of the leaves that a pattern covers."""

    pattern: str
    """Names joined by `/`; `*` stands for any one name."""
    origin: Origin
    reason: str

    def covers(self, path: Path) -> bool:
        """Tell whether the pattern fits a path."""
        parts = self.pattern.split("/")
        return len(parts) == len(path) and all(part in ("*", name) for part, name in zip(parts, path, strict=True))


_MADE, _CHECKED, _DECLARED = Origin.SERVER_MADE, Origin.SERVER_CHECKED, Origin.TENANT_DECLARED

RULES: tuple[Rule, ...] = (
    Rule("_type", _CHECKED, "one value is accepted"),
    Rule("predicateType", _CHECKED, "one value is accepted"),
    Rule("subject/[]/name", _DECLARED, "names of files are the job's"),
    Rule("subject/[]/digest/sha256", _CHECKED, "an output's equals its material's; the first is the job's own"),
    Rule("subject/[]/digest/sha1", _DECLARED, "the commit, until the forge corroborates it (R30)"),
    Rule("subject/[]/annotations/chainloop.material.name", _CHECKED, "an output material of the contract revision"),
    Rule("subject/[]/annotations/chainloop.material.type", _CHECKED, "the type that the contract revision asks for"),
    Rule("subject/[]/annotations/*", _DECLARED, "description"),
    Rule("subject/[]/annotations/remotes/[]/*", _DECLARED, "description of the commit"),
    Rule("predicate/annotations/*", _DECLARED, "the contract asks for names, the job gives the values"),
    Rule("predicate/auth/id", _CHECKED, "the token that began the run"),
    Rule("predicate/auth/type", _DECLARED, "the token that is used at store is recorded with the run"),
    Rule("predicate/buildType", _DECLARED, "a constant of the writer"),
    Rule("predicate/builder/id", _DECLARED, "the writer's own word about itself"),
    Rule("predicate/casBackend/*", _DECLARED, "what the job was told at init; the blobs themselves are checked"),
    Rule("predicate/chainloopCi/ci/*", _DECLARED, "claimed, until the forge corroborates it (R30)"),
    Rule("predicate/chainloopCi/contractDigest", _CHECKED, "digest of the pinned revision's bytes"),
    Rule("predicate/env/*", _DECLARED, "variables of the job"),
    Rule("predicate/materials/[]/annotations/chainloop.material.name", _CHECKED, "compared with the contract revision"),
    Rule("predicate/materials/[]/annotations/chainloop.material.type", _CHECKED, "compared with the contract revision"),
    Rule("predicate/materials/[]/annotations/*", _DECLARED, "description"),
    Rule("predicate/materials/[]/content", _CHECKED, "hashes to the material's digest"),
    Rule("predicate/materials/[]/digest/sha256", _CHECKED, "present in the store where content is wanted"),
    Rule("predicate/materials/[]/name", _DECLARED, "names of files are the job's"),
    Rule("predicate/metadata/contractName", _MADE, "the workflow's contract"),
    Rule("predicate/metadata/contractVersion", _MADE, "the run's pinned revision"),
    Rule("predicate/metadata/finishedAt", _DECLARED, "the job's clock; the time of store is the server's"),
    Rule("predicate/metadata/initializedAt", _DECLARED, "the job's clock; the time of init is the server's"),
    Rule("predicate/metadata/name", _CHECKED, "the run's workflow"),
    Rule("predicate/metadata/organization", _CHECKED, "the run's organization"),
    Rule("predicate/metadata/project", _CHECKED, "the run's project"),
    Rule("predicate/metadata/projectVersion", _CHECKED, "the one that the run was begun with"),
    Rule("predicate/metadata/projectVersionPrerelease", _DECLARED, "given at init"),
    Rule("predicate/metadata/team", _DECLARED, "description"),
    Rule("predicate/metadata/workflowID", _MADE, "the run's workflow"),
    Rule("predicate/metadata/workflowName", _CHECKED, "the run's workflow"),
    Rule("predicate/metadata/workflowRunID", _CHECKED, "the run that the attestation is stored for"),
    Rule("predicate/policyAttBlocked", _DECLARED, "policies are not evaluated yet"),
    Rule("predicate/policyBlockBypassEnabled", _DECLARED, "policies are not evaluated yet"),
    Rule("predicate/policyCheckBlockingStrategy", _DECLARED, "policies are not evaluated yet"),
    Rule("predicate/policyEvaluationsCount", _DECLARED, "policies are not evaluated yet"),
    Rule("predicate/policyHasViolations", _DECLARED, "policies are not evaluated yet"),
    Rule("predicate/policyViolationsCount", _DECLARED, "policies are not evaluated yet"),
    Rule("predicate/runnerAuthenticated", _CHECKED, "true is refused as long as nothing proves it"),
    Rule("predicate/runnerEnvironment", _DECLARED, "read from the job's variables"),
    Rule("predicate/runnerType", _CHECKED, "equal to the run's, and the one that the contract revision asks for"),
    Rule("predicate/runnerURL", _DECLARED, "claimed, until the forge corroborates it (R30)"),
    Rule("predicate/runnerWorkflowFilePath", _DECLARED, "claimed, until the forge corroborates it (R30)"),
)
"""The first rule that covers a leaf decides."""


def classify(path: Path) -> Origin | None:
    """Return the origin of a leaf, or None when no rule covers it."""
    return next((rule.origin for rule in RULES if rule.covers(path)), None)


def leaves(document: object, path: Path = ()) -> Iterator[Path]:
    """Return the path of every value that is neither object nor list."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield from leaves(value, (*path, name))
    elif isinstance(document, list):
        for value in document:
            yield from leaves(value, (*path, "[]"))
    else:
        yield path
