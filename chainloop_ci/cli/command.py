"""click commands and groups that know the options table, aliases, and groups that are loaded when they are used.

A lazy group keeps the one-line helps of its commands in a table, so `--help` imports no command module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from chainloop_ci.cli.options import GLOBAL, Kind, Option
from chainloop_ci.records import record

if TYPE_CHECKING:
    from chainloop_ci.cli.wiring import World


class PlainOption(click.Option):
    """An option whose help is one plain line.

    click takes the indentation of docstrings out of every help text, and would load `inspect` for it at every start.
    """

    def __init__(self, declarations: Sequence[str], *, help: str, **attributes: Any) -> None:
        super().__init__(declarations, **attributes)
        self.help = help


class TableOption(PlainOption):
    """An option of the table; its variable is read from the world of this invocation, not from the process."""

    def __init__(self, entry: Option, *, shared: bool = False, choices: Sequence[str] = ()) -> None:
        self.entry = entry
        self.shared = shared
        several = entry.kind in (Kind.PAIRS, Kind.LIST)
        arguments: dict[str, Any] = {
            "required": entry.required,
            "multiple": several,
            "metavar": entry.metavar or ("NAME=VALUE" if entry.kind is Kind.PAIRS else None),
            "show_default": not shared and entry.default is not None,
            "envvar": None if shared else entry.env,
        }
        if entry.kind is Kind.SWITCH:
            # Only then: False would let click take a value that begins with a dash (PEM) for another option.
            arguments["is_flag"] = True
        if shared:
            # It may stand at several places of a line: absent must not overwrite present.
            arguments["default"] = None
        elif entry.kind is Kind.SWITCH:
            arguments["default"] = False
        elif entry.default is not None:
            # An explicit None would count as a value, also for what is required.
            arguments["default"] = entry.default
        if entry.kind is Kind.CHOICE:
            arguments["type"] = click.Choice(choices or entry.choices)
        if entry.kind is Kind.NUMBER:
            arguments["type"] = click.IntRange(min=0)
        if entry.kind is Kind.PATH:
            arguments["metavar"] = entry.metavar or "PATH"
        if shared:
            arguments |= {"expose_value": False, "callback": _remember, "is_eager": True}
        # A command may well have an argument of its own that is called `token` or `organization`.
        name = f"global_{entry.name}" if shared else entry.name
        declarations = [*reversed(entry.flags), *entry.replaces, name]
        super().__init__(declarations, help=entry.help, **arguments)

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the option's variable; empty counts as not set."""
        if self.shared:
            return None  # the world reads it, and knows then that nobody typed it
        world: World = ctx.find_root().obj
        return world.env.get(self.entry.env or "") or None

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Return the value of the variable; where several may be given, one of each of its lines that is not blank.

        click would split at every space, and paths and texts have some.
        """
        if not self.multiple:
            return super().value_from_envvar(ctx)
        lines = [line.strip() for line in (self.resolve_envvar_value(ctx) or "").splitlines()]
        return [line for line in lines if line] or None

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return flags and help, the variable at its end; older flags are not shown."""
        record = super().get_help_record(ctx)
        if record is None:
            return None
        flags, text = record
        for older in self.entry.replaces:
            flags = flags.replace(f", {older}", "")
        return flags, f"{text} [{self.entry.env}]" if self.entry.env else text


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is not None and isinstance(parameter, TableOption):
        ctx.find_root().obj.given[parameter.entry.name] = value


def _show_help(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        ctx.find_root().obj.output.text(ctx.get_help())
        ctx.exit()


_OTHER_WORDS = {"login": "config save", "auth": "config save", "logout": "config reset"}
"""What other programs, the Go product among them, call commands of ours."""


class UnknownCommandError(click.UsageError):
    """There is no command of this name; `meant` is the one that was perhaps meant, with its groups, or empty."""

    def __init__(self, typed: str, meant: str, ctx: click.Context) -> None:
        super().__init__(f"there is no command {typed!r}", ctx)
        self.meant = meant


class _Shared(click.Command):
    """Has options of the table, and accepts the global ones wherever they are typed; shows those apart."""

    _params: list[click.Parameter]
    _own: Sequence[Option] = ()
    _others: Sequence[Option] = ()
    _formats: Sequence[str] = ()

    def declare(self, own: Sequence[Option], others: Sequence[Option], formats: Sequence[str]) -> None:
        """Name the command's own options, and others; a flag that stands in both means the command's own."""
        self._own, self._others, self._formats = own, others, formats

    @property
    def params(self) -> list[click.Parameter]:
        """Return all options and arguments. They are made when somebody asks: a group is loaded with every command."""
        if self._own or self._others:
            self._params = [*(TableOption(entry) for entry in self._own), *self._params]
            taken = {flag for parameter in self._params for flag in (*parameter.opts, *parameter.secondary_opts)}
            self._params += [option for entry in self._others if (option := self._share(entry, taken))]
            self._own = self._others = ()
        return self._params

    @params.setter
    def params(self, value: list[click.Parameter]) -> None:
        self._params = value

    def _share(self, entry: Option, taken: set[str]) -> TableOption | None:
        flags = tuple(flag for flag in entry.flags if flag not in taken)
        choices = self._formats if entry.name == "output" else ()
        return TableOption(replace(entry, flags=flags), shared=True, choices=choices) if flags else None

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return `--help`, which writes to this invocation's stdout.

        click's own would look for translations of its text, at every start.
        """
        names = self.get_help_option_names(ctx)
        if self._help_option is None and names:
            self._help_option = PlainOption(
                [*names, "_help"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_show_help,
                help="Show this message and exit.",
            )
        return self._help_option

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then those that every command has."""
        parameters = self.get_params(ctx)
        for title, shared in (("Options", False), ("Global options", True)):
            records = [
                record
                for parameter in parameters
                if isinstance(parameter, click.Option)
                and getattr(parameter, "shared", False) is shared
                and (record := parameter.get_help_record(ctx))
            ]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Command(_Shared):
    """A command. `formats` are what `--output` accepts; `shared` are options beside its own and the global ones."""

    def __init__(
        self,
        *arguments: Any,
        options: Sequence[Option] = (),
        formats: Sequence[str] = (),
        shared: Sequence[Option] = (),
        aliases: Sequence[str] = (),
        **keywords: Any,
    ) -> None:
        super().__init__(*arguments, **keywords)
        self.aliases = tuple(aliases)
        self.declare(options, (*shared, *GLOBAL), formats)


@record
class Lazy:
    """A command or group that is imported when it is used."""

    name: str
    place: str
    """`package.module:attribute`."""
    help: str
    """One line; the same as the first line of the command's own help (a test compares them)."""
    aliases: tuple[str, ...] = ()


class Group(_Shared, click.Group):
    """A group of commands; those in `lazy` are imported when they are used."""

    command_class = Command
    group_class = type

    def __init__(
        self,
        *arguments: Any,
        lazy: Sequence[Lazy] = (),
        aliases: Sequence[str] = (),
        options: Sequence[Option] = (),
        shared: Sequence[Option] = (),
        **keywords: Any,
    ) -> None:
        """`options` are for a group that does something by itself (`invoke_without_command`)."""
        keywords.setdefault("no_args_is_help", True)
        super().__init__(*arguments, **keywords)
        self.lazy = {entry.name: entry for entry in lazy}
        self.aliases = tuple(aliases)
        self.declare(options, (*shared, *GLOBAL), ())

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands in the order of the table."""
        return [*self.lazy, *(name for name in self.commands if name not in self.lazy)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command called `cmd_name`, by name or alias."""
        if entry := next((e for e in self.lazy.values() if cmd_name in (e.name, *e.aliases)), None):
            from importlib import import_module

            module, _, attribute = entry.place.partition(":")
            command: click.Command = getattr(import_module(module), attribute)
            return command
        return next(
            (
                command
                for name, command in self.commands.items()
                if cmd_name == name or cmd_name in getattr(command, "aliases", ())
            ),
            None,
        )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command under its full name, however it was typed.

        Raises:
            UnknownCommandError: there is none, but perhaps one that was meant.
        """
        typed = args[0]
        if not typed.startswith("-") and self.get_command(ctx, typed) is None:
            raise UnknownCommandError(typed, self._find_meant(ctx, typed), ctx)
        _, command, rest = super().resolve_command(ctx, args)
        return (command.name if command else None), command, rest

    def _find_meant(self, ctx: click.Context, typed: str) -> str:
        """Return the command that `typed` comes near to, or the one of a group below that has this name."""
        from difflib import get_close_matches

        names = self.list_commands(ctx)
        if near := get_close_matches(typed, names, n=1):
            return f"{ctx.command_path} {near[0]}"
        if ctx.parent is None and (words := _OTHER_WORDS.get(typed)):
            return f"{ctx.command_path} {words}"
        below = [(name, group) for name in names if isinstance(group := self.get_command(ctx, name), Group)]
        found = (f"{ctx.command_path} {name} {typed}" for name, group in below if group.get_command(ctx, typed))
        near_below = (
            f"{ctx.command_path} {name} {near[0]}"
            for name, group in below
            if (near := get_close_matches(typed, group.list_commands(ctx), n=1))
        )
        return next(found, "") or next(near_below, "")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands first: they are what somebody who asks a group for help looks for."""
        self.format_commands(ctx, formatter)
        _Shared.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their one-line helps; imports none of the lazy ones."""
        rows = []
        for name in self.list_commands(ctx):
            if entry := self.lazy.get(name):
                rows.append((", ".join((name, *entry.aliases)), entry.help))
            elif not (command := self.commands[name]).hidden:
                aliases = getattr(command, "aliases", ())
                rows.append((", ".join((name, *aliases)), command.get_short_help_str(limit=100)))
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
