"""`chainloop attestation`: init, add, remove, status, push, reset, verify, describe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from chainloop_ci.cli.command import Command, Group, TableOption
from chainloop_ci.cli.options import ATTESTATION, COMMANDS, Option
from chainloop_ci.cli.shared_options import Sharing, take_sharing
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import UsageError

if TYPE_CHECKING:
    from chainloop_ci.attestation.state import CraftingState


CRAFTING = ("craft", "init", "add", "remove", "status", "push", "reset")
"""Commands that make an attestation: a job without secrets is red by none of them. The others look at files."""
_GRACEFUL = ("craft", "init", "push", "reset")
"""Commands that `--graceful-exit` is for (reference section 1.2)."""
REPORTED = ("craft", "init", "add", "status", "push", "reset")
"""Commands that the CI system hears of."""


class AttestationCommand(Command):
    """A command with its options of the table and those that all commands of `attestation` have."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        keywords["options"] = COMMANDS[keywords["name"]]
        super().__init__(*arguments, shared=ATTESTATION, **keywords)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the command line, and let the world know what kind of command it is before that can fail."""
        if parent is not None:
            world: World = parent.find_root().obj
            world.command, world.crafts = self.name or "", self.name in CRAFTING
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            UsageError: `--on-unreachable` has another word than its own; or `--graceful-exit` was typed for a command
                that it is not for. Its variable is for the whole job, and means those commands alone that it is for.
        """
        world: World = ctx.find_root().obj
        if self.name in REPORTED:
            world.begin_report(self.name, self._typed_secrets(ctx))
        if self.name in CRAFTING:
            world.take_policy()
        if self.name in _GRACEFUL:
            world.ends_gracefully = world.switch("graceful_exit")
        elif world.given.get("graceful_exit"):
            raise UsageError(
                f"--graceful-exit is for craft, init, push and reset, not for {self.name}",
                hint="leave it out here; CHAINLOOP_GRACEFUL_EXIT=true may stay set for the whole job",
            )
        world.sharing = self._find_sharing(world, ctx)
        world.job_workflow = ctx.params.pop("job_workflow", None)
        return super().invoke(ctx)

    def _find_sharing(self, world: World, ctx: click.Context) -> Sharing:
        sharing = take_sharing(self.name, ctx.params)
        if sharing.is_wanted(world.env):
            from chainloop_ci.cli.standing import is_without_secrets

            if is_without_secrets(world):
                return Sharing(is_alone=True)
        return sharing

    def _typed_secrets(self, ctx: click.Context) -> dict[str, str]:
        """Return the values of secret options, wherever they came from."""
        options = (parameter.entry for parameter in self.params if isinstance(parameter, TableOption))
        known = {**ctx.params, **ctx.find_root().obj.given}
        return {entry.name: str(known[entry.name]) for entry in options if entry.secret and known.get(entry.name)}

    def _share(self, entry: Option, taken: set[str]) -> TableOption | None:
        option = super()._share(entry, taken)
        if option and entry.name == "graceful_exit" and self.name not in _GRACEFUL:
            option.hidden = True  # read, so that the refusal can say why
        return option


@click.group(cls=Group, aliases=("att",), shared=ATTESTATION)
def attestation() -> None:
    """Craft, sign and push an attestation."""


@attestation.command("craft", cls=AttestationCommand)
@click.pass_obj
def craft(world: World, /, **options: Any) -> None:
    """Craft the attestation in one step: init, every material, push."""
    from chainloop_ci.cli.attestation_craft import run_craft
    from chainloop_ci.cli.build_end import telling_end

    with telling_end(world, options["job_status"]):
        run_craft(world, **options)


@attestation.command("init", cls=AttestationCommand)
@click.pass_obj
def init(world: World, /, **options: Any) -> None:
    """Begin an attestation: fetch the contract and check that it can be met here."""
    from chainloop_ci.cli.attestation_init import run_init

    state = run_init(world, **options)
    if state is not None:
        _show(world, state, full=False)


@attestation.command("add", cls=AttestationCommand)
@click.pass_obj
def add(world: World, /, **options: Any) -> None:
    """Add a material: a file, a container image or a text."""
    from chainloop_ci.cli.attestation_add import run_add
    from chainloop_ci.cli.status_view import material_document

    material = run_add(world, **options)
    if world.format == "json":
        world.output.document([material_document(material, world.state().load().contract)])


@attestation.command("remove", cls=AttestationCommand)
@click.pass_obj
def remove(world: World, name: str) -> None:
    """Take a material out again; what was uploaded of it is swept later."""
    from chainloop_ci.cli.status_view import material_document
    from chainloop_ci.crafting.remove import Remove

    material = Remove(store=world.state(), report=world.reporter)(name)
    if world.format == "json":
        world.output.document([material_document(material, world.state().load().contract)])


@attestation.command("status", cls=AttestationCommand)
@click.pass_obj
def status(world: World, full: bool) -> None:
    """Show what the contract asks for, what is there and what is missing."""
    state = world.state().load()
    if world.sharing.is_shared:
        from chainloop_ci.cli.sharing import tell_of_end

        tell_of_end(world)
    _show(world, state, full=full)


@attestation.command("push", cls=AttestationCommand)
@click.pass_context
def push(ctx: click.Context, /, **options: Any) -> None:
    """Sign the attestation and store it on the control plane."""
    from chainloop_ci.cli.attestation_push import run_push
    from chainloop_ci.cli.build_end import telling_end

    if options["resume"]:
        # Of a build that has ended long ago.
        _require_alone(ctx)
        run_push(ctx.obj, **options)
        return
    with telling_end(ctx.obj, options["job_status"]):
        run_push(ctx.obj, **options)


@attestation.command("reset", cls=AttestationCommand)
@click.pass_obj
def reset(world: World, trigger: str, reason: str | None, force: bool) -> None:
    """End the attestation without pushing it."""
    from chainloop_ci.cli.attestation_reset import run_reset

    run_reset(world, trigger=trigger, reason=reason, force=force)


@attestation.command("verify", cls=AttestationCommand)
@click.pass_obj
def verify(world: World, bundle: str, key: str | None) -> None:
    """Verify who signed a bundle; needs no network. Ends with 7, 8 or 9 when that is not proven."""
    from chainloop_ci.cli.attestation_verify import run_verify

    run_verify(world, bundle, key)


@attestation.command("describe", cls=AttestationCommand, formats=("table", "json", "statement", "payload-pae"))
@click.pass_obj
def describe(world: World, bundle: str) -> None:
    """Show what a bundle's file says, and verify nothing; needs no network and no key."""
    from chainloop_ci.cli.attestation_describe import run_describe

    run_describe(world, bundle)


_NOT_BESIDE_RESUME = ("annotations", "job_status", "attestation_id", "sealed_handle")


def _require_alone(ctx: click.Context) -> None:
    """Check that nothing stands beside `--resume` that could not be obeyed; a variable may be for other attestations.

    Raises:
        UsageError: with every option that was typed.
    """
    typed = [
        parameter.entry.flags[0]
        for parameter in ctx.command.params
        if isinstance(parameter, TableOption)
        and parameter.entry.name in _NOT_BESIDE_RESUME
        and ctx.get_parameter_source(parameter.entry.name) is click.core.ParameterSource.COMMANDLINE
    ]
    if typed:
        raise UsageError(
            f"{', '.join(typed)}: given beside --resume, whose file is signed already and says which run is meant",
            hint=f"leave {' and '.join(typed)} out",
        )


def _show(world: World, state: CraftingState, *, full: bool) -> None:
    from chainloop_ci.cli.status_view import status_document, status_tables
    from chainloop_ci.crafting.status import get_status

    status = get_status(state, now=world.now())
    sealed = world.sharing.sealed_handle if world.sharing.begins else ""
    if world.format == "json":
        world.output.document({**status_document(status), **({"sealedHandle": sealed} if sealed else {})})
    else:
        advice = world.dialect.advice if world.dialect else str
        world.output.table(*status_tables(status, full=full, advice=advice))
        if sealed:
            world.output.info("other jobs go on with this attestation", attestation_id=state.pin.run_id)
            world.output.info("they need this too", sealed_handle=sealed)
