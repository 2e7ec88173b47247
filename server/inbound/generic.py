"""Payloads that our own Jenkins step signs: they can only say that a build has ended (R46).

    {"event": "build.ended", "job": "folder/app/main", "build": "17", "result": "failure", "commit": "<sha>",
     "endedAt": "2026-01-31T12:00:00Z"}

`result` is `success`, `failure` or `canceled`; `commit` and `endedAt` may be left out. See docs/webhooks-in.md.
"""

from __future__ import annotations

from server.inbound.reading import commit, ident, moment, text
from server.model.forge_facts import LONG_AGO, ONLY_ATTEMPT, CiConclusion, CiStatus, ForgeRun, build_key
from server.model.inbound_facts import NOWHERE, InboundFacts

BUILD_ENDED = "build.ended"

MAX_BUILD_KEY = 128
"""Characters of the name of a build that are stored; a source of a longer job ends its runs by expiry."""

_RESULTS = {
    "success": CiConclusion.SUCCESS,
    "failure": CiConclusion.FAILURE,
    "canceled": CiConclusion.CANCELED,
}


def parse(event: str, payload: object) -> InboundFacts:
    """Return what a payload says."""
    build, job = ident(payload, "build"), text(payload, "job")
    conclusion = _RESULTS.get(text(payload, "result") or "")
    if event != BUILD_ENDED or build is None or job is None or conclusion is None:
        return InboundFacts()
    if len(build_key(job, build)) > MAX_BUILD_KEY:
        return InboundFacts()
    ended_at = moment(payload, "endedAt")
    ended = ForgeRun(
        **NOWHERE,
        ci_run_id=build_key(job, build),
        attempt=ONLY_ATTEMPT,
        head_sha=commit(payload, "commit") or "",
        event="",
        status=CiStatus.ENDED,
        told_at=ended_at or LONG_AGO,
        conclusion=conclusion,
        ended_at=ended_at,
    )
    return InboundFacts(runs=(ended,))
