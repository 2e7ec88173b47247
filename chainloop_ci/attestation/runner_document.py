"""The CI system and the job, as crafting state and statement write them."""

from __future__ import annotations

from chainloop_ci.attestation.fields import Fields, present
from chainloop_ci.contract.types import RunnerType
from chainloop_ci.runners.types import CiIdentity


def ci_document(ci: CiIdentity) -> dict[str, object]:
    """Return what the CI system says of the job; what is not known is left out."""
    return present(
        {
            "provider": ci.provider,
            "serverUrl": ci.server_url,
            "repository": ci.repository,
            "runId": ci.run_id,
            "runAttempt": ci.run_attempt,
            "job": ci.job,
            "jobIndex": ci.job_index,
            "runnerName": ci.runner_name,
            "event": ci.event,
            "ref": ci.ref,
            "headSha": ci.head_sha,
            "pullRequest": ci.pull_request,
        }
    )


def read_ci(fields: Fields) -> CiIdentity:
    """Return what `ci_document` wrote; no provider reads as `none`."""
    return CiIdentity(
        provider=fields.text("provider") or "none",
        server_url=fields.text("serverUrl") or None,
        repository=fields.text("repository") or None,
        run_id=fields.text("runId") or None,
        run_attempt=fields.number("runAttempt"),
        job=fields.text("job") or None,
        job_index=fields.text("jobIndex") or None,
        runner_name=fields.text("runnerName") or None,
        event=fields.text("event") or None,
        ref=fields.text("ref") or None,
        head_sha=fields.text("headSha") or None,
        pull_request=fields.text("pullRequest") or None,
    )


def read_runner_type(text: str) -> str:
    """Return a runner type as contracts write it; documents of 2022 put `RUNNER_TYPE_` before it."""
    if not text:
        return RunnerType.GENERIC.value
    return text if text == RunnerType.GENERIC else text.removeprefix("RUNNER_TYPE_")
