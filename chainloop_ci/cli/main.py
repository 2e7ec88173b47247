"""The command line: the table of commands, and the one place that turns errors into messages and exit statuses."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import click

from chainloop_ci import __version__
from chainloop_ci.cli.command import Group, Lazy, PlainOption, UnknownCommandError
from chainloop_ci.cli.exit_codes import ABANDONED, FAILURE, INTERRUPTED, SUCCESS, exit_status
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import ChainloopError, OutputUnwritableError, UsageError

COMMANDS: tuple[Lazy, ...] = (
    Lazy("attestation", "chainloop_ci.cli.attestation:attestation", "Craft, sign and push an attestation.", ("att",)),
    Lazy("workflow", "chainloop_ci.cli.workflow:workflow", "Manage workflows, their contracts and runs.", ("wf",)),
    Lazy("apply", "chainloop_ci.cli.apply:apply", "Make contracts and workflows as files say."),
    Lazy("gate", "chainloop_ci.cli.gate:gate", "Ask whether a commit or a digest may pass."),
    Lazy("organization", "chainloop_ci.cli.organization:organization", "Manage organizations and keys.", ("org",)),
    Lazy(
        "integration",
        "chainloop_ci.cli.integration:integration",
        "Tell others what happens, and hear from them.",
    ),
    Lazy("discover", "chainloop_ci.cli.discover:discover", "Show what refers to a digest, and what it refers to."),
    Lazy("audit", "chainloop_ci.cli.audit_file:audit", "Export everything for auditors, and verify such a file."),
    Lazy("artifact", "chainloop_ci.cli.artifact:artifact", "Upload and download artifacts."),
    Lazy("config", "chainloop_ci.cli.config_commands:config", "Keep the control plane's address and a token."),
    Lazy("version", "chainloop_ci.cli.version:version", "Show the version."),
    Lazy("help", "chainloop_ci.cli.help:help_", "Show the help of a command."),
)
"""Every command of the first level. `--help` prints this table and imports none of them."""

# click repeats what it could not read: a key or a token that stood at a wrong place must not reach a log.
_SECRETS = r"(?s)-----BEGIN.*|clp_\w+"

_GRACE_IS_NOT_FOR = ("usage", "already-initialized")

_REFUSALS_OF_A_TOKEN = ("not-authenticated", "not-allowed")


def _show_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        ctx.obj.output.text(f"chainloop version {__version__}")
        ctx.exit()


@click.command(cls=Group, name="chainloop", lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    cls=PlainOption,
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
def chainloop() -> None:
    """Craft the attestation of a CI run against a contract, and manage what a control plane knows of it."""


def run(arguments: Sequence[str], world: World) -> int:
    """Run one command in `world` and return its exit status. No exception leaves."""
    if "--debug" in arguments:
        # Before anything is parsed: what fails there should be explained too.
        world.given["debug"] = True
    status = _run(arguments, world)
    _write_report(status, world)
    return status


def _run(arguments: Sequence[str], world: World) -> int:
    try:
        return _invoke(arguments, world)
    except click.ClickException as error:
        _assume_json(arguments, world)
        _begin_report(arguments, world)
        return _report(_translate(error, arguments), world)
    except OutputUnwritableError as error:
        return ABANDONED if error.abandoned else _report(error, world)
    except ChainloopError as error:
        return _report(error, world)
    except (KeyboardInterrupt, click.Abort):
        world.output.warning("interrupted; what was saved stays: repeat the same command")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence: a defect is one line, never a traceback
        return _report_defect(error, world)


def _invoke(arguments: Sequence[str], world: World) -> int:
    try:
        status = chainloop.main(list(arguments), prog_name="chainloop", standalone_mode=False, obj=world)
        return status if isinstance(status, int) else SUCCESS
    except click.exceptions.NoArgsIsHelpError as error:
        world.output.text(error.format_message())
        return SUCCESS


def _begin_report(arguments: Sequence[str], world: World) -> None:
    """Let the CI system hear of a line that click could not read, when it is one that it hears of."""
    group, _, command = _command_path(arguments).removeprefix("chainloop ").partition(" ")
    if group == "attestation":
        from chainloop_ci.cli.attestation import REPORTED

        with suppress(UsageError):  # the switch itself may be what is wrong
            if command in REPORTED:
                world.begin_report(command)


def _write_report(status: int, world: World) -> None:
    """Tell the CI system; whatever becomes of that, the command has ended as it has."""
    if world.report is None:
        return
    try:
        world.report.write(status)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a report never decides how a command ends
        world.output.warning("the report for the CI system could not be made", reason=type(error).__name__)


def _report(error: ChainloopError, world: World) -> int:
    status = exit_status(error)
    if world.shadowed_token and error.code in _REFUSALS_OF_A_TOKEN:
        error.hint = f"{error.hint}; {world.shadowed_token}" if error.hint else world.shadowed_token
    if world.report:
        world.report.note_error(error, status)
    if _is_forgiven(error, world) or _is_let_go(error, world):
        return SUCCESS
    world.output.error(error, status)
    if not world.ends_gracefully:
        return status
    if error.code in _GRACE_IS_NOT_FOR:
        world.output.warning("--graceful-exit is not for this error", status=status)
        return status
    world.output.warning("ended with 0, as --graceful-exit asks", status=status)
    if world.report:
        world.report.note_going_on("The job goes on, as --graceful-exit asks.")
    return SUCCESS


def _report_defect(error: Exception, world: World) -> int:
    if world.debug:
        import traceback

        # Frames and lines only: the values of variables may be secrets.
        for line in "".join(traceback.format_exception(error)).splitlines():
            world.output.debug(line)
    defect = ChainloopError(
        f"unexpected {type(error).__name__}: {error}" if world.debug else f"unexpected {type(error).__name__}",
        hint="this is a defect of chainloop: run it again with --debug and report what it prints",
    )
    if world.report:
        world.report.note_error(defect, FAILURE)
    if _is_forgiven(defect, world):
        return SUCCESS
    world.output.error(defect, FAILURE)
    return FAILURE


def _is_forgiven(error: ChainloopError, world: World) -> bool:
    """Tell whether the job is one that is never red, and show it the error as a warning (R35)."""
    if not world.crafts:
        return False
    from chainloop_ci.cli.standing import forgive, is_without_secrets

    if not is_without_secrets(world):
        return False
    forgive(world, error)
    return True


def _is_let_go(error: ChainloopError, world: World) -> bool:
    """Tell whether the job goes on without the control plane's answer, and show it the error as a warning."""
    if not world.crafts:
        return False
    from chainloop_ci.cli.unreachable import is_let_go

    return is_let_go(world, error)


def _translate(error: click.ClickException, arguments: Sequence[str]) -> UsageError:
    context = getattr(error, "ctx", None)
    hint = f"see `{context.command_path if context else _command_path(arguments)} --help`"
    if isinstance(error, UnknownCommandError) and error.meant:
        hint = f"did you mean `{error.meant}`? {hint}"
    if isinstance(error, click.MissingParameter) and (meant := _find_meant(error, arguments)):
        hint = f"did you mean `{re.sub(_SECRETS, '***', meant)}`? {hint}"
    text = re.sub(_SECRETS, "***", error.format_message().strip().rstrip("."))
    text = re.sub(r" is not a valid boolean\..*", " is neither true nor false", text)
    return UsageError(text[:1].lower() + text[1:] if text else "the command line cannot be read", hint=hint)


def _command_path(arguments: Sequence[str]) -> str:
    """Return the command of a line that click could not read, in full: it does not always say which one it was."""
    command, path = chainloop, "chainloop"
    for word in arguments:
        found = None if word.startswith("-") else command.get_command(click.Context(command), word)
        if found is not None:
            path = f"{path} {found.name}"
            if not isinstance(found, Group):
                break
            command = found
    return path


def _find_meant(error: click.MissingParameter, arguments: Sequence[str]) -> str:
    """Return the required option with the word that was typed without it: `attestation add README.md`."""
    name, option = error.ctx.info_name if error.ctx else None, error.param
    rest = list(arguments)[arguments.index(name) + 1 :] if name in arguments else []
    if not isinstance(option, click.Option) or not rest or rest[0].startswith("-"):
        return ""
    return f"{option.opts[0]} {rest[0][:80]}"


def _assume_json(arguments: Sequence[str], world: World) -> None:
    """Find out about `-o json` on a line that click could not read."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    joined = any(word in ("--output=json", "-ojson", "-o=json") for word in arguments)
    if joined or any(pair in (("-o", "json"), ("--output", "json")) for pair in pairs):
        world.output.as_json = True


def main() -> int:
    """Run the command of this process."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        _speak_unicode(stream)
    world = World(env=os.environ, cwd=Path.cwd(), stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr)
    return run(sys.argv[1:], world)


def _open_closed_streams() -> None:
    """Lead a stream that the caller has closed (`>&-`) nowhere; Python has None in its place.

    In this order, so that each gets its own descriptor back and no file that is opened later can take it.
    """
    sys.stdin = sys.stdin or _open_nowhere()
    sys.stdout = sys.stdout or _open_nowhere()
    sys.stderr = sys.stderr or _open_nowhere()


def _open_nowhere() -> TextIO:
    return os.fdopen(os.open(os.devnull, os.O_RDWR), "r+", encoding="utf-8")


def _speak_unicode(stream: TextIO) -> None:
    """Tables need box drawing and names may be in any script, whatever the locale of the job is."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure:
        reconfigure(encoding="utf-8", errors="backslashreplace")
