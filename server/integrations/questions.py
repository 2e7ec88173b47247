"""Questions to a forge that may not know yet what a job or a webhook has said already."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from chainloop_ci.api.record import to_dict
from server.integrations.types import Message, Tools
from server.model.deliveries import Outcome, OutcomeKind
from server.model.forge_answers import CiRunAnswer, HeadAnswer

UNKNOWN_AFTER = timedelta(hours=1)
"""After the event: what the forge does not know by then is not there."""


def no_ci_run(content: Mapping[str, Any], said: str) -> Outcome:
    """Return the answer that there is no such CI run; `said` is that in words."""
    return _unknown(said, to_dict(CiRunAnswer(str(content["ciRunId"]), unknown=True)))


def no_head(said: str) -> Outcome:
    """Return the answer that there is no such head."""
    return _unknown(said, to_dict(HeadAnswer(unknown=True)))


def wait_for(outcome: Outcome, codes: Collection[str], message: Message, tools: Tools, unknown: Outcome) -> Outcome:
    """Return what a try means that one of these codes ended: it is made again, until it is too late for that."""
    if outcome.code not in codes:
        return outcome
    if tools.now() - message.event_at >= UNKNOWN_AFTER:
        return unknown
    return replace(outcome, kind=OutcomeKind.RETRY, detail=f"{unknown.detail} yet")


def _unknown(said: str, answer: dict[str, Any]) -> Outcome:
    return Outcome(OutcomeKind.SKIPPED, "unknown", said, answer=answer)
