"""The example payloads of `@octokit/webhooks-examples`, and the schema that all payloads follow.

Source: npm, octokit/webhooks (MIT), made of what GitHub sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema_rs

from tests.forges.packages import load


@dataclass(frozen=True, slots=True)
class Example:
    """One payload with the value of its `X-GitHub-Event`; `index` counts within the event."""

    event: str
    index: int
    payload: dict[str, Any]

    @property
    def name(self) -> str:
        """Return a name for a test."""
        action = self.payload.get("action")
        return f"{self.event}-{self.index}" + (f"-{action}" if action else "")


@cache
def examples() -> tuple[Example, ...]:
    """Return all payloads, by event; the test is skipped where they are not installed."""
    return tuple(
        Example(each["name"], index, payload)
        for each in load("octokit-webhooks-examples")
        for index, payload in enumerate(each["examples"])
    )


@cache
def _validator(event: str, action: str | None) -> Any:
    schema = load("octokit-webhooks-schemas")
    # The definition of one action says more about what is wrong than that of all actions of the event.
    names = (f"{event}${action}", f"{event}_event", f"{event}$event")
    name = next(each for each in names if each in schema["definitions"])
    return jsonschema_rs.Draft7Validator(
        {"$ref": f"#/definitions/{name}", "definitions": _plain(schema["definitions"])}, validate_formats=False
    )


def _plain(value: Any) -> Any:
    # Each definition names its dialect once more, which would begin a schema of its own.
    if isinstance(value, dict):
        if "enum" in value and {"workflow_job", "check_run"} <= set(value["enum"]):
            # The lists of events are older than two events that the schemas themselves describe.
            return {**value, "enum": sorted({*value["enum"], "merge_group", "deployment_protection_rule"})}
        return {name: _plain(each) for name, each in value.items() if name != "$schema"}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def violations(event: str, payload: Any) -> list[str]:
    """Return what of a payload is not as the event's schema says."""
    errors = _validator(event, payload.get("action")).iter_errors(payload)
    return [f"/{'/'.join(map(str, error.instance_path))}: {error.message[:400]}" for error in errors]
