"""Which environment variables hold secrets and never enter an attestation, whatever a contract says (R24).

Asked at contract lint, by the client when it resolves the allow list, and by the server about what it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from chainloop_ci.deferred import deferred_pattern
from chainloop_ci.errors import Finding

MIN_SECRET_LENGTH = 8
"""Shorter values are not compared: `true`, `main` or `1` are equal by accident, and a secret that short protects
nothing (GitLab masks from 8 characters on for the same reason: GitLab Docs, "Mask a CI/CD variable")."""
MIN_CONTAINED_LENGTH = 16
"""From this length on a value that merely *contains* the secret is refused too: GitLab's CI_REPOSITORY_URL carries
the job token inside."""

_PUBLIC = frozenset(("CHAINLOOP_DAGGER_CLIENT",))
_SECRET_NAME = deferred_pattern(
    r"""
      TOKENS?\Z | (?:\A|_)SECRETS?(?:_|\Z)
    | PASSWORD | PASSWD | PASSPHRASE | _PASS\Z | _PWD\Z
    | \AACTIONS_ID_TOKEN_
    | (?:\A|_)JWT(?:_V[0-9]+)?\Z
    | (?:\A|_)(?:ACCESS|ACCOUNT|API|APP|AUTH|DEPLOY|ENCRYPTION|LICENSE|MASTER|PRIVATE|SECRET|SIGNING|SSH|STORAGE)
      _?KEY(?:_BASE64|_PEM)?\Z
    | (?:\A|_)CREDENTIALS?\Z | CONNECTION_STRING\Z
    """,
    re.VERBOSE,
)
# CHAINLOOP_ variables whose names end so carry names and addresses, which other variables may well repeat
# (GITHUB_WORKFLOW and CHAINLOOP_WORKFLOW_NAME): they are refused by name, but their values are not compared.
_PUBLIC_VALUE = deferred_pattern(
    r"_(?:NAME|WORKFLOW|PROJECT|ORG|ORGANIZATION|TEAM|VERSION|REVISION|API|URL|SERVER|CONTROL_PLANE|CA|ID|PATH|FILE|"
    r"CONTRACT|USERNAME|REASON|OUTPUT|INDEX|PUBLIC_KEY|MATERIALS|ANNOTATIONS|STATUS|UNREACHABLE)\Z"
)


def is_secret_name(name: str) -> bool:
    """Tell whether the name of a variable says that it holds a secret, or is one of our own settings.

    The patterns of R24 (`*_TOKEN`, `*_SECRET`, `*PASSWORD*`, `ACTIONS_ID_TOKEN_*`, `CI_JOB_*TOKEN`, `CHAINLOOP_*`
    except `CHAINLOOP_DAGGER_CLIENT`) and names like them. Case does not count: Windows has none.
    """
    upper = name.upper()
    return upper not in _PUBLIC and (upper.startswith("CHAINLOOP_") or _SECRET_NAME.search(upper) is not None)


def secret_values(env: Mapping[str, str]) -> frozenset[str]:
    """Return the values in `env` that are secrets, those of `MIN_SECRET_LENGTH` characters and more."""
    values = (value.strip() for name, value in env.items() if _holds_secret(name))
    return frozenset(value for value in values if len(value) >= MIN_SECRET_LENGTH)


def _holds_secret(name: str) -> bool:
    upper = name.upper()
    if not is_secret_name(upper):
        return False
    return not (upper.startswith("CHAINLOOP_") and _PUBLIC_VALUE.search(upper))


def is_secret_value(value: str, secrets: Iterable[str]) -> bool:
    """Tell whether `value` equals one of `secrets` (from `secret_values`), or contains a long one."""
    stripped = value.strip()
    return any(stripped == secret or (len(secret) >= MIN_CONTAINED_LENGTH and secret in value) for secret in secrets)


def check_variables(variables: Mapping[str, str], secrets: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
    """Return a finding for each variable that must not be recorded; it has the name, never the value.

    `variables` are the resolved ones; `secrets` come from `secret_values` of the whole environment. The server,
    which does not see that environment, asks with what it was sent.
    """
    findings = []
    for name, value in variables.items():
        if is_secret_name(name):
            findings.append(secret_name_finding(name))
        elif is_secret_value(value, secrets):
            message = f"the variable {name} has the value of a secret and is not recorded"
            findings.append(
                Finding("secret-variable", message, path=name, hint="take it out of the contract's envAllowList")
            )
    return tuple(findings)


def secret_name_finding(name: str) -> Finding:
    """Return the finding about a variable whose name says that it holds a secret."""
    message = f"the variable {name[:80]} holds a secret by its name and is never recorded"
    return Finding(
        "secret-variable", message, path=name, hint="take it out of envAllowList; attestations are read by others"
    )
