"""Names that somebody types, checked before anything is asked: DNS-1123 labels (RFC 1123 section 2.1)."""

from __future__ import annotations

import re

from chainloop_ci.api.limits import MAX_NAME, NAME_PATTERN
from chainloop_ci.digests import Digest, parse_digest
from chainloop_ci.errors import UsageError

MAX_CONTRACT_NAME = 2 * MAX_NAME + 1
"""The contract that a workflow gets by itself is called `<project>-<workflow>`."""

_SHA256SUM = re.compile("[0-9a-f]{64}")
_LABEL = re.compile(NAME_PATTERN.removesuffix("$"))


def require_name(noun: str, name: str, max_length: int = MAX_NAME) -> str:
    """Return the name of a new thing, or of one that is looked for.

    Raises:
        UsageError: says the form in the words of `attestation add`, and the nearest name that has it.
    """
    if len(name) <= max_length and _LABEL.fullmatch(name):
        return name
    near = re.sub(r"[^a-z0-9]+", "-", name.lower())[:max_length].strip("-")
    advice = f"; for example {near}" if near else ""
    raise UsageError(
        f"the name of a {noun} must contain only lowercase letters, numbers, and hyphens, found {name[:80]!r}",
        hint=f"at most {max_length} characters, with a letter or number first and last{advice}",
    )


def require_names(**named: str | None) -> None:
    """Check several names by their nouns; None was not typed.

    Raises:
        UsageError: as `require_name`, for the first that is none.
    """
    for noun, name in named.items():
        if name is not None:
            require_name(noun, name, MAX_CONTRACT_NAME if noun == "contract" else MAX_NAME)


def require_digest(text: str) -> Digest:
    """Return the digest that was typed; 64 digits alone, as `sha256sum` prints them, are SHA-256.

    Raises:
        DigestInvalidError: any other form.
    """
    return parse_digest(f"sha256:{text}" if _SHA256SUM.fullmatch(text) else text)


def split_workflow(flag: str, workflow: str, project: str | None) -> tuple[str, str]:
    """Return project and workflow of `project/workflow`, or of two options.

    Raises:
        UsageError: the project is missing or named twice with a difference, or one of both is no name.
    """
    owner, slash, name = workflow.rpartition("/")
    if not slash and project is None:
        raise UsageError(
            f"{flag} needs its project", hint=f"add --project, or write {flag} PROJECT/{workflow[:MAX_NAME]}"
        )
    if slash and project not in (None, owner):
        raise UsageError(
            f"{flag} says the project {owner[:MAX_NAME]!r}, --project says {project[:MAX_NAME]!r}",
            hint="leave --project out",
        )
    return require_name("project", owner if slash else project or ""), require_name("workflow", name)
