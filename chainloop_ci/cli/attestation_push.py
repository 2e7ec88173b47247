"""What `attestation push` makes of its options, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from chainloop_ci.cli.attestation_reset import JobEnd, end_run, end_with_job, parse_job_status
from chainloop_ci.cli.builder import builder_id
from chainloop_ci.cli.bundle_file import BundleFile
from chainloop_ci.cli.options import SIGNING_PASSWORD_FILE_VARIABLE
from chainloop_ci.cli.status_view import status_document
from chainloop_ci.cli.unreachable import may_queue
from chainloop_ci.cli.wiring import World
from chainloop_ci.contract.upcoming import NewRequirement
from chainloop_ci.crafting.annotations import parse_annotations
from chainloop_ci.crafting.ports import Signer
from chainloop_ci.crafting.push import DryPush, Push, Pushed, QueuedPush
from chainloop_ci.crafting.reset import AGAIN, end_unmet
from chainloop_ci.crafting.status import THEN_PUSH, find_new, get_status, require_compliant
from chainloop_ci.errors import AttestationRefusedError, ContractNotMetError, SigningKeyMissingError


def run_push(
    world: World,
    *,
    key: str | None,
    annotations: Sequence[str],
    bundle: str | None,
    job_status: str | None,
    resume: str | None,
) -> None:
    """Push the attestation, or on a dry run print the statement that would be signed.

    After a job that did not succeed the run is ended instead: the job is red already, so that this is no error. A job
    that says how it ended has no further step that could mend an attestation which its contract does not accept: the
    run ends with it.
    """
    if resume:
        if annotations:
            # Their variable may be for the job's other attestations; whoever typed them was refused.
            world.output.warning("the annotations given now are not used: what was kept is signed already")
        _run_resume(world, resume, key, bundle)
        return
    end = parse_job_status(job_status)
    if end is not JobEnd.SUCCESS:
        end_with_job(world, end)
        return
    given = parse_annotations(annotations)
    push = make_push(world, load_signer=lambda: load_signer(world, key), bundle=bundle)
    if world.state().load().dry_run:
        warn_of_bundle(world, bundle)
        show_dry(world, push.dry(given))
        return
    try:
        pushed = push(given)
    except (ContractNotMetError, AttestationRefusedError) as error:
        if job_status:
            end_unmet(error, partial(end_run, world), world.reporter)
        elif world.dialect and world.dialect.ends_after_script:
            error.hint = AGAIN
        raise
    show_pushed(world, push, pushed)


def _run_resume(world: World, path: str, key: str | None, bundle: str | None) -> None:
    from chainloop_ci.cli.attestation_queue import resume_push

    file = _bundle_file(world, bundle, world.local_state().owns)
    if file:
        file.check()
    pushed = resume_push(world, path, lambda: load_signer(world, key))
    if world.report:
        world.report.note_pushed(pushed)
    if file:
        file.write(pushed.bundle)
    _show_result(world, pushed)
    _tell(world, pushed)
    world.output.info("what was kept is stored: its file is not needed any more", path=path)


def make_push(world: World, *, load_signer: Callable[[], Signer], bundle: str | None) -> Push:
    """Return the use case with this machine's adapters; `bundle` is where the stored bundle goes."""
    store = world.state()
    return Push(
        store=store,
        control_plane=world.control_plane_of,
        load_signer=load_signer,
        builder_id=builder_id,
        now=world.now,
        report=world.reporter,
        bundle_file=_bundle_file(world, bundle, store.owns),
        may_queue=may_queue(world),
    )


def _bundle_file(world: World, bundle: str | None, belongs_to_state: Callable[[Path], bool]) -> BundleFile | None:
    """Return where the stored bundle goes, and let the CI system hear of it; None when nobody asked for it."""
    if world.report:
        world.report.bundle = bundle or ""
    if not bundle:
        return None
    return BundleFile(bundle, cwd=world.cwd, belongs_to_state=belongs_to_state, output=world.output)


def warn_of_bundle(world: World, bundle: str | None) -> None:
    """Say that a dry run writes no bundle, when one was asked for."""
    if bundle:
        world.output.warning("a dry run has no bundle: no file is written", path=bundle)


def load_signer(world: World, key: str | None) -> Signer:
    """Return the key to sign with: the option, the variable, the configuration file (R5).

    Raises:
        SigningKeyMissingError: nobody names one.
        SigningKeyInvalidError, FileUnreadableError: it cannot be used.
    """
    from chainloop_ci.signing.keys import load_signing_key
    from chainloop_ci.signing.passwords import password_reader

    settings = world.settings(key=key)
    if settings.signing_key is None:
        empty = "CHAINLOOP_SIGNING_KEY" in settings.empty_variables
        raise SigningKeyMissingError(
            "there is no key to sign with" + (": the variable CHAINLOOP_SIGNING_KEY is set but empty" if empty else ""),
            hint="give --key or CHAINLOOP_SIGNING_KEY (a path, PEM text, or base64 of it), or keep one with "
            "`chainloop config save`; an operator makes one with `chainloop organization key create`",
        )
    file = world.env.get(SIGNING_PASSWORD_FILE_VARIABLE)
    password = password_reader(world.env, file=world.cwd / file if file else None, prompt=_prompt(world))
    return load_signing_key(settings.signing_key.value.reveal(), read_password=_masked(world, password), env=world.env)


def _masked(world: World, read: Callable[[], str | None]) -> Callable[[], str | None]:
    """Return what reads the password and has it masked in the job's log before anything is done with it."""

    def read_masked() -> str | None:
        password = read()
        if world.report and password:
            world.report.mask(password)
        return password

    return read_masked


def _prompt(world: World) -> Callable[[], str] | None:
    if not (world.stdin.isatty() and world.stderr.isatty()):
        return None

    def ask() -> str:
        from getpass import getpass

        return getpass("Password of the signing key: ", stream=world.stderr)

    return ask


def show_dry(world: World, dry: DryPush, *, hint: str = THEN_PUSH) -> None:
    """Print the statement that would be signed; `hint` says what to do when it is not complete.

    Raises:
        ContractNotMetError: it is not complete.
    """
    if world.report:
        world.report.note_state(dry.state)
    statement: Mapping[str, object] = json.loads(dry.statement)
    if world.format == "json":
        world.output.document({**status_document(get_status(dry.state)), "statement": statement})
    else:
        world.output.document(statement)
    warn_of_news(world, find_new(dry.state))
    # Design decision 19: the statement is shown whatever is missing, and the status says that it is not complete.
    require_compliant(dry.state, hint=hint)
    world.output.info("Dry run: nothing was signed and nothing was sent; the attestation stays here")


def show_pushed(world: World, push: Push, pushed: Pushed | QueuedPush) -> None:
    """Print what was stored, and forget it here; what could not be sent is kept in a file."""
    if isinstance(pushed, QueuedPush):
        from chainloop_ci.cli.attestation_queue import keep_for_later

        warn_of_news(world, find_new(pushed.state))
        keep_for_later(world, pushed)
        world.is_queued = True
        return
    if world.report:
        world.report.note_pushed(pushed)
    try:
        _show_result(world, pushed)
    finally:
        # Also when stdout takes no more: what was stored must not look like a failed push.
        try:
            _tell(world, pushed)
        finally:
            # Not before: what was stored and never told can be asked for by pushing again.
            push.forget(pushed)


def _show_result(world: World, pushed: Pushed) -> None:
    stored = pushed.stored
    if world.format == "json":
        status = get_status(pushed.state, digest=pushed.digest, pushed=True, view_url=stored.view_url)
        # What the control plane found out by itself stands in the place of what was found here.
        status = replace(status, new_requirements=stored.new_requirements)
        world.output.document({**status_document(status), "state": stored.state.value, "verified": stored.verified})
    else:
        world.output.document(_envelope(pushed.bundle))


def _tell(world: World, pushed: Pushed) -> None:
    stored = pushed.stored
    if not stored.verified:
        world.output.warning(
            "stored, but not verified: it does not count as success", reason=stored.verification.key.reason
        )
    warn_of_news(world, stored.new_requirements)
    facts = {"digest": pushed.digest, "run": stored.run_id, "url": stored.view_url}
    world.output.info("Attestation pushed!", **{name: fact for name, fact in facts.items() if fact})


def warn_of_news(world: World, found: Sequence[NewRequirement]) -> None:
    """Say what the attestation lacks of newer contract revisions, so that their dates surprise nobody (R38)."""
    for item in found:
        hint = item.hint and (world.dialect.advice(item.hint) if world.dialect else item.hint)
        world.output.warning(f"{item}; what to do: {hint}" if hint else str(item))


def _envelope(bundle: bytes) -> dict[str, object]:
    """Return the signed envelope in the form of the 2022 transcript, for people to look at; never stored."""
    envelope = json.loads(bundle)["dsseEnvelope"]
    return {
        "payloadType": envelope["payloadType"],
        "payload": envelope["payload"],
        "signatures": [{"keyid": entry.get("keyid", ""), "sig": entry["sig"]} for entry in envelope["signatures"]],
    }
