"""Say that the build ends, where the pipeline wants that: a build of Jenkins that nobody else can tell of (R30, R46).

There are no options for it: a secret does not belong on a command line, and only our Jenkins steps set the variables.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chainloop_ci import __version__
from chainloop_ci.cli.attestation_reset import JobEnd, parse_job_status
from chainloop_ci.cli.options import BUILD_WEBHOOK_SECRET_VARIABLE, BUILD_WEBHOOK_VARIABLE
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import ChainloopError, UnreachableError, UsageError

if TYPE_CHECKING:
    from chainloop_ci.client.build_webhook import BuildEnd, WebhookClient
    from chainloop_ci.runners.types import CiIdentity

_RESULTS = {JobEnd.SUCCESS: "success", JobEnd.FAILURE: "failure", JobEnd.CANCELLATION: "canceled"}


@contextmanager
def telling_end(world: World, job_status: str | None) -> Iterator[None]:
    """Do what is inside, then say that the build has ended, in every ending; that it cannot be said is a warning.

    What comes first is what counts: a run that was not stored by then ends with the build. So nothing is said where
    the control plane did not answer: the attestation that was kept would find its run ended.
    """
    if not world.env.get(BUILD_WEBHOOK_VARIABLE):
        yield
        return
    end = parse_job_status(job_status)
    try:
        yield
    except UnreachableError:
        raise
    except BaseException:
        _tell(world, JobEnd.FAILURE if end is JobEnd.SUCCESS else end)
        raise
    if not world.is_queued:
        _tell(world, end)


def _tell(world: World, end: JobEnd) -> None:
    from chainloop_ci.client.build_webhook import tell_build_end

    try:
        client, source = _client(world)
        tell_build_end(client, source, _build(world, end), _secret(world), str(uuid.uuid4()), world.now())
    except ChainloopError as error:
        world.output.warning(f"the control plane was not told that the build ends: {error.message}")
    else:
        world.output.info("the control plane knows that the build ends", result=_RESULTS[end])


def _build(world: World, end: JobEnd) -> BuildEnd:
    from chainloop_ci.client.build_webhook import BuildEnd

    ci = world.ci()
    if ci.provider != "jenkins" or not ci.job or not ci.run_id:
        raise UsageError(
            f"expected a build of Jenkins with JOB_NAME and BUILD_NUMBER, found {ci.provider or 'no CI system'}",
            hint=f"unset {BUILD_WEBHOOK_VARIABLE}: other CI systems tell the control plane themselves",
        )
    return BuildEnd(ci.job, ci.run_id, _RESULTS[end], world.now(), _commit(world, ci))


def _commit(world: World, ci: CiIdentity) -> str | None:
    """Return the commit that `init` has named (R30, R31): without variables the checked out one."""
    if ci.head_sha or ci.pull_request:
        return ci.head_sha
    head = world.read_head(None)
    return head.hash if head else None


def _client(world: World) -> tuple[WebhookClient, str]:
    from chainloop_ci.client.build_webhook import ADDRESS, WebhookClient
    from chainloop_ci.client.http import Address, Patience

    found = ADDRESS.fullmatch(world.env[BUILD_WEBHOOK_VARIABLE].strip())
    if found is None:
        raise UsageError(
            f"{BUILD_WEBHOOK_VARIABLE} is not the address of a source's webhook",
            hint="`chainloop workflow source secret create` shows it: https://…/webhooks/generic/…",
        )
    settings = world.settings()
    address = Address(
        url=found["base"],
        ca=settings.ca.value if settings.ca else "",
        insecure=settings.insecure.value,
        user_agent=f"chainloop-ci/{__version__}",
        env=world.env,
        is_anonymous=True,
    )
    return WebhookClient(address, Patience(world.patience_seconds), trace=world.output.debug), found["source"]


def _secret(world: World) -> str:
    secret = world.env.get(BUILD_WEBHOOK_SECRET_VARIABLE, "").strip()
    if not secret:
        raise UsageError(
            f"{BUILD_WEBHOOK_SECRET_VARIABLE} is empty: nothing can be signed",
            hint="give the step the credential with the source's secret: `buildWebhookCredentialsId`",
        )
    if world.report:
        world.report.mask(secret)
    return secret
