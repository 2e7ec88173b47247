"""How a material's content is refused: always by the name of what was expected and of what was found."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from chainloop_ci.errors import Finding, MaterialRejectedError

MAX_FINDINGS = 20
"""More are counted, not listed."""


def rejected(
    expected: str, found: str, *, hint: str | None = None, findings: Iterable[Finding] = ()
) -> MaterialRejectedError:
    """Return the error «expected a CycloneDX SBOM (JSON), found …».

    Without `findings` the sentence itself becomes the only finding, so that a list of findings is never empty.
    """
    message = f"expected {expected}, found {found}"
    listed = tuple(findings) or (Finding("wrong-content", message, hint=hint),)
    return MaterialRejectedError(message, hint=hint, findings=listed)


def cap_findings(findings: Iterable[Finding], total: int) -> tuple[Finding, ...]:
    """Return the first `MAX_FINDINGS` of `total` findings and, when there are more, one that counts them."""
    first = tuple(islice(findings, MAX_FINDINGS))
    return (*first, Finding("more-findings", f"and {total - len(first)} more")) if total > len(first) else first


def cap_warnings(warnings: Iterable[str], total: int) -> tuple[str, ...]:
    """Return the first `MAX_FINDINGS` of `total` warnings and, when there are more, one that counts them."""
    first = tuple(islice(warnings, MAX_FINDINGS))
    return (*first, f"and {total - len(first)} more warnings") if total > len(first) else first
