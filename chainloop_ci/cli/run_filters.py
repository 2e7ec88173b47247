"""The filters of `workflow run list` and of the audit, checked before anything is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from chainloop_ci.api.runs import RunState
from chainloop_ci.contract.types import RunnerType
from chainloop_ci.errors import UsageError

STATE_WORDS = (*(state.value for state in RunState), "succeeded", "failed", "cancelled")
"""What `--state` takes, in any case: our words, then those of the reference (section 1.5) that differ."""

_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")


def require_state(word: str) -> str:
    """Return the word of a state as the control plane takes it.

    Raises:
        UsageError: lists the words.
    """
    return require_one_of("--state", word, word.lower(), STATE_WORDS)


def require_runner(word: str) -> str:
    """Return a runner type in its own spelling.

    Raises:
        UsageError: lists the types.
    """
    return require_one_of("--runner", word, word.upper(), [kind.value for kind in RunnerType])


def require_commit(text: str) -> str:
    """Return the beginning of a commit's hash.

    Raises:
        UsageError: not at least seven hexadecimal digits.
    """
    if not _COMMIT.fullmatch(text):
        raise UsageError(
            f"--commit: expected at least 7 hexadecimal digits of a commit, found {text[:80]!r}",
            hint="`git rev-parse HEAD` prints the commit",
        )
    return text.lower()


def require_one_of(flag: str, typed: str, word: str, known: Sequence[str]) -> str:
    """Return `word`, which `typed` was read as, when it is known.

    Raises:
        UsageError: lists what is known, and the nearest.
    """
    if word in known:
        return word
    near = get_close_matches(word, known, n=1)
    raise UsageError(
        f"{flag}: expected one of {', '.join(known)}, found {typed[:80]!r}",
        hint=f"did you mean {near[0]}?" if near else f"leave {flag} out to see all",
    )
