"""Annotations that a user gives: read, checked against what the contract says, and merged (reference section 1.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from chainloop_ci.contract.annotations import RESERVED_PREFIX, is_reserved_annotation
from chainloop_ci.contract.types import Annotation
from chainloop_ci.deferred import deferred_pattern
from chainloop_ci.errors import ContractNotMetError, Finding, UsageError

_PAIR = deferred_pattern(r"(?P<name>[A-Za-z0-9_][A-Za-z0-9_./-]{0,127})=(?P<value>.*)\Z", re.DOTALL)
_NEXT_PAIR = deferred_pattern(r",(?=[A-Za-z0-9_][A-Za-z0-9_./-]{0,127}=)")


def parse_annotations(texts: Iterable[str]) -> dict[str, str]:
    """Return the annotations in `name=value` texts; a comma before the next `name=` separates two of them.

    Raises:
        UsageError: with every text that is no annotation, has no value, or has a reserved or repeated name.
    """
    found: dict[str, str] = {}
    findings: list[Finding] = []
    for pair in (pair for text in texts for pair in _NEXT_PAIR.split(text)):
        match = _PAIR.match(pair)
        if match is None or not match["value"]:
            findings.append(Finding("annotation-form", f"expected name=value, found {pair[:80]!r}"))
        elif is_reserved_annotation(match["name"]):
            findings.append(
                Finding("annotation-reserved", f"names that begin with {RESERVED_PREFIX} are reserved: {match['name']}")
            )
        elif found.setdefault(match["name"], match["value"]) != match["value"]:
            findings.append(Finding("annotation-repeated", f"two values for the annotation {match['name']}"))
    if findings:
        raise UsageError(
            "the annotations cannot be used: " + "; ".join(map(str, findings)),
            hint="write each as name=value",
            findings=findings,
        )
    return found


def merge_annotations(
    declared: Sequence[Annotation], kept: Mapping[str, str], given: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return the annotations that hold, and the names whose given value the contract overrules.

    In order of weight: a value of the contract, what is given now, what was given before.
    """
    fixed = {entry.name: entry.value for entry in declared if entry.value}
    overruled = [name for name, value in given.items() if fixed.get(name, value) != value]
    return {**kept, **given, **fixed}, overruled


def require_material_annotations(name: str, declared: Sequence[Annotation], merged: Mapping[str, str]) -> None:
    """Check that every annotation which the contract declares for a material has a value.

    Raises:
        ContractNotMetError: with every one that has none.
    """
    missing = [entry.name for entry in declared if not merged.get(entry.name)]
    if missing:
        options = " ".join(f"--annotation {missed}=<value>" for missed in missing)
        raise ContractNotMetError(
            f"the contract asks for annotations of the material {name} that have no value: {', '.join(missing)}",
            hint=f"add {options}",
            findings=[
                Finding(
                    "missing-annotation", f"the annotation {missed} of the material {name} has no value", path=missed
                )
                for missed in missing
            ],
        )
