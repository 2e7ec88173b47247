"""Where each fact of a statement comes from, in one table (R13).

The statement is made by the job, and whoever controls the job could write anything into it. So every leaf says how far
the control plane stands behind it once the attestation is stored:

- *server-made*: the control plane gave the value out, and refuses a statement that holds another.
- *server-checked*: the control plane compares the value with what it holds, and refuses a difference (R11): with the
  run's record, the contract revision or the stored content. Some of the record is the job's own word, given at init;
  the reason then says «claimed at init»: the statement cannot say anything else later, and that is all.
- *tenant-declared*: the word of the job. What the forge corroborates (R30) is recorded beside it, not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from chainloop_ci.contract.annotations import MATERIAL_PREFIX
from chainloop_ci.records import record

Path = tuple[str, ...]
"""Names from the root to a leaf; items of a list are called `[]`."""


class Origin(StrEnum):
    """Who stands behind a value."""

    SERVER_MADE = "server-made"
    SERVER_CHECKED = "server-checked"
    TENANT_DECLARED = "tenant-declared"


@record
class Rule:
    """Origin of the leaves that a pattern covers."""

    pattern: str
    """Names joined by `/`; `*` stands for any one name, and at the end of a name for its rest."""
    origin: Origin
    reason: str

    def covers(self, path: Path) -> bool:
        """Tell whether the pattern fits a path."""
        parts = self.pattern.split("/")
        return len(parts) == len(path) and all(map(_fits, parts, path))


def _fits(part: str, name: str) -> bool:
    return part == name or (part.endswith("*") and name.startswith(part.removesuffix("*")))


_MADE, _CHECKED, _DECLARED = Origin.SERVER_MADE, Origin.SERVER_CHECKED, Origin.TENANT_DECLARED

_MATERIAL = f"predicate/materials/[]/annotations/{MATERIAL_PREFIX}"
_SAID = "exactly what the stored content says, where that is checked"

RULES: tuple[Rule, ...] = (
    Rule("_type", _CHECKED, "one value is accepted"),
    Rule("predicateType", _CHECKED, "one value is accepted"),
    Rule("subject/[]/name", _DECLARED, "names of files are the job's"),
    Rule("subject/[]/digest/sha256", _CHECKED, "an output's equals its material's; the first is the job's own"),
    Rule("subject/[]/digest/sha1", _DECLARED, "the commit, until the forge corroborates it (R30)"),
    Rule(f"subject/[]/annotations/{MATERIAL_PREFIX}name", _CHECKED, "an output material of the contract revision"),
    Rule(f"subject/[]/annotations/{MATERIAL_PREFIX}type", _CHECKED, "the type that the contract revision asks for"),
    Rule(f"subject/[]/annotations/{MATERIAL_PREFIX}*", _CHECKED, "a copy of the material's, and worth what that is"),
    Rule("subject/[]/annotations/*", _DECLARED, "description"),
    Rule("subject/[]/annotations/remotes/[]/*", _DECLARED, "description of the commit"),
    Rule("predicate/annotations/*", _DECLARED, "the job gives the values, except those that the contract fixes"),
    Rule("predicate/auth/id", _CHECKED, "the token that began the run"),
    Rule("predicate/auth/type", _DECLARED, "the token that is used at store is recorded with the run"),
    Rule("predicate/buildType", _DECLARED, "a constant of the writer"),
    Rule("predicate/builder/id", _DECLARED, "the writer's own word about itself"),
    Rule("predicate/casBackend/*", _DECLARED, "what the job was told at init; the blobs themselves are checked"),
    Rule("predicate/chainloopCi/calledWorkflow", _DECLARED, "claimed, until the forge corroborates it (R30)"),
    Rule("predicate/chainloopCi/ci/*", _CHECKED, "the run's; claimed at init, until the forge corroborates it (R30)"),
    Rule("predicate/chainloopCi/contractDigest", _CHECKED, "digest of the pinned revision's bytes"),
    Rule("predicate/env/*", _DECLARED, "variables of the job"),
    Rule(f"{_MATERIAL}name", _CHECKED, "compared with the contract revision"),
    Rule(f"{_MATERIAL}type", _CHECKED, "compared with the contract revision"),
    Rule(f"{_MATERIAL}size", _CHECKED, "the size of the stored content"),
    Rule(f"{_MATERIAL}cas", _CHECKED, "the run uploaded the content, or refers to it"),
    Rule(f"{_MATERIAL}cas.inline", _CHECKED, "the content is in the statement"),
    Rule(f"{_MATERIAL}tool.*", _CHECKED, _SAID),
    Rule(f"{_MATERIAL}tools", _CHECKED, _SAID),
    Rule(f"{_MATERIAL}sbom.*", _CHECKED, _SAID),
    Rule(f"{_MATERIAL}scan.types", _CHECKED, _SAID),
    Rule(f"{_MATERIAL}evidence.*", _CHECKED, _SAID),
    Rule(
        f"{_MATERIAL}validation", _DECLARED, "the job asked for leniency; the content is then checked so, and shown so"
    ),
    Rule(f"{_MATERIAL}image.*", _DECLARED, "the tag that the job used; the digest counts"),
    Rule("predicate/materials/[]/annotations/*", _DECLARED, "description, except what the contract fixes"),
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
    Rule("predicate/metadata/projectVersion", _CHECKED, "the run's; claimed at init"),
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
    Rule("predicate/runnerEnvironment", _CHECKED, "the run's; claimed at init: read from the job's variables"),
    Rule(
        "predicate/runnerType", _CHECKED, "the run's; claimed at init, and the one that the contract revision asks for"
    ),
    Rule("predicate/runnerURL", _CHECKED, "the run's; claimed at init, until the forge corroborates it (R30)"),
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
