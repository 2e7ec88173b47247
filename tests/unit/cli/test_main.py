from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import click
import pytest

from chainloop_ci import __version__
from chainloop_ci.cli.command import Command, Group, Lazy
from chainloop_ci.cli.main import COMMANDS
from chainloop_ci.cli.main import chainloop as root
from chainloop_ci.cli.options import ATTESTATION, GLOBAL
from chainloop_ci.cli.options import COMMANDS as OPTIONS


def test_version_prints_the_version(chainloop) -> None:
    assert chainloop("version").out == f"chainloop version {__version__}\n"
    assert chainloop("version", "-o", "json").json["version"] == __version__


def test_the_version_option_prints_the_version_too(chainloop) -> None:
    assert chainloop("--version").out == chainloop("version").out


@pytest.mark.parametrize(("words", "shown"), [([], "chainloop"), (["att", "init"], "chainloop attestation init")])
def test_help_as_a_command_shows_the_help(chainloop, words, shown) -> None:
    done = chainloop("help", *words)

    assert done.status == 0
    assert done.out.startswith(f"Usage: {shown} ")


@pytest.mark.parametrize("words", [["nonsense"], ["version", "more"]])
def test_help_of_what_is_no_command_is_a_usage_error(chainloop, words) -> None:
    assert chainloop("help", *words).status == 2


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["attestaton", "init"], "chainloop attestation"),
        (["att", "pusch"], "chainloop attestation push"),
        (["init"], "chainloop attestation init"),
        (["help", "att", "innit"], "chainloop attestation init"),
    ],
)
def test_an_unknown_command_gets_the_one_that_was_meant(chainloop, typed, meant) -> None:
    done = chainloop(*typed)

    assert done.status == 2
    assert f"did you mean `{meant}`?" in done.err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("attestation", "add", "README.md", "--name", "readme"), "did you mean `--value README.md`?"),
        (("att", "add", "clp_" + "a" * 60), "did you mean `--value ***`?"),
        (("attestation", "add", "--name", "readme"), "see `chainloop attestation add --help`"),
    ],
)
def test_a_word_without_its_option_gets_the_option(chainloop, typed, said) -> None:
    done = chainloop(*typed)

    assert done.status == 2
    assert said in done.err


def test_an_interruption_says_what_goes_on(chainloop, monkeypatch) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("chainloop_ci.cli.main.chainloop.main", interrupt)

    done = chainloop("attestation", "status")

    assert done.status == 130
    assert "repeat the same command" in done.err


def test_global_options_are_accepted_before_and_after_the_command(chainloop) -> None:
    assert chainloop("-o", "json", "version").json == chainloop("version", "-o", "json").json


def test_help_imports_no_command_module() -> None:
    script = (
        "import sys; from chainloop_ci.cli.main import main; sys.argv = ['chainloop', '--help']; main();"
        "print([name for name in sys.modules if name.startswith('chainloop_ci.')], file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    imported = {name.removeprefix("chainloop_ci.") for name in eval(done.stderr)}
    allowed = {
        "api",
        "api.words",
        "cli",
        "errors",
        "digests",
        "findings",
        "escaping",
        "records",
        *(f"cli.{name}" for name in ("main", "command", "option", "options", "output", "shared_options", "wiring")),
        "cli.exit_codes",
        "cli.global_options",
        "cli.typed_files",
    }
    assert imported <= allowed


def test_help_of_the_root_lists_every_command_with_its_aliases(chainloop) -> None:
    shown = chainloop("--help")

    assert shown.status == 0
    for entry in COMMANDS:
        assert ", ".join((entry.name, *entry.aliases)) in shown.out
        assert entry.help in shown.out


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_the_one_line_helps_of_the_table_are_those_of_the_commands(entry: Lazy) -> None:
    module, _, attribute = entry.place.partition(":")

    command = getattr(import_module(module), attribute)

    assert (command.help or "").strip().splitlines()[0] == entry.help
    assert command.name == entry.name


@pytest.mark.parametrize("alias", ["att", "attestation"])
def test_aliases_lead_to_the_same_help(chainloop, alias) -> None:
    shown = chainloop(alias, "--help")

    assert shown.status == 0
    assert "init" in shown.out


def test_without_arguments_the_help_is_shown(chainloop) -> None:
    assert "Usage: chainloop" in chainloop().out


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["version", "--nonsense"], ["version", "-o", "xml"], ["att", "add"]]
)
def test_a_line_that_cannot_be_read_ends_with_2_and_names_the_help(chainloop, arguments) -> None:
    done = chainloop(*arguments)

    assert done.status == 2
    assert done.err.startswith("ERR ")
    assert "--help" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["version", "-----BEGIN PRIVATE KEY-----\nMIG"],
        ["version", "clp_abc"],
        ["version", "--tok", "clp_abc"],
        ["clp_abc"],
    ],
)
def test_a_secret_at_a_wrong_place_is_not_repeated(chainloop, arguments) -> None:
    done = chainloop(*arguments)

    assert done.status == 2
    assert not any(secret in done.err for secret in ("MIG", "PRIVATE", "abc"))


def test_with_json_a_line_that_cannot_be_read_is_a_document(chainloop) -> None:
    done = chainloop("version", "--nonsense", "-o", "json")

    assert done.json["error"]["code"] == "usage"
    assert done.json["exitCode"] == 2


@pytest.mark.skipif(sys.platform == "win32", reason="devices and pipes as POSIX has them")
@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("chainloop --help > /dev/full", 1, "ERR the result cannot be written to stdout: No space left on device"),
        ("chainloop > /dev/full", 1, "ERR the result cannot be written to stdout: No space left on device"),
        ("chainloop nonsense -o json > /dev/full", 2, "ERR there is no command 'nonsense'"),
        ("chainloop version 1< /dev/null", 1, "ERR the result cannot be written to stdout: Bad file descriptor"),
        ("chainloop --help | true; exit ${PIPESTATUS[0]}", 141, ""),
        ("chainloop version >&-", 0, ""),
        ("chainloop nonsense 2>&-", 2, ""),
        ("chainloop nonsense 2> /dev/full", 2, ""),
    ],
)
def test_an_output_that_cannot_be_written_is_no_defect(line, status, said) -> None:
    # `true` has ended long before Python has started: nobody reads that pipe.
    program = f'chainloop() {{ {sys.executable} -m chainloop_ci "$@"; }}; '

    done = subprocess.run(["bash", "-c", program + line], capture_output=True, text=True, check=False)

    assert done.returncode == status
    assert done.stderr.startswith(said)
    assert "defect" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_defect_is_one_line_without_a_traceback(chainloop) -> None:
    done = invoke_defect(chainloop)

    assert done.status == 1
    assert "Traceback" not in done.err
    assert done.err.splitlines() == [
        "ERR unexpected ZeroDivisionError",
        "hint: this is a defect of chainloop: run it again with --debug and report what it prints",
    ]


def test_a_defect_with_debug_shows_where(chainloop) -> None:
    done = invoke_defect(chainloop, "--debug")

    assert "DBG Traceback" in done.err
    assert "ZeroDivisionError" in done.err


def invoke_defect(chainloop, *arguments: str):
    @root.command("defect", cls=Command, hidden=True)
    def defect() -> None:
        """Divide by nothing."""
        _ = 1 // 0

    try:
        return chainloop("defect", *arguments)
    finally:
        del root.commands["defect"]


def test_every_variable_belongs_to_one_option() -> None:
    # The value of --key may be a public or a private one: two variables; annotations stand in two commands.
    entries = {entry.name: entry for group in (GLOBAL, ATTESTATION, *OPTIONS.values()) for entry in group}
    variables = [entry.env for entry in entries.values() if entry.env]

    assert len(variables) == len(set(variables))
    assert all(name.startswith("CHAINLOOP_") for name in variables)


def test_secrets_have_no_default_and_stand_in_the_table_as_secret() -> None:
    entries = [entry for group in (GLOBAL, *OPTIONS.values()) for entry in group]

    assert {entry.name for entry in entries if entry.secret} == {"token", "registry_password", "key"}
    assert all(entry.default is None for entry in entries if entry.secret)


def test_a_flag_of_the_command_itself_means_the_commands() -> None:
    @click.command(cls=Command)
    @click.option("--output", "target")
    def download(target: str) -> None:
        """Take a file name."""

    outputs = [parameter for parameter in download.params if "--output" in parameter.opts]

    assert [parameter.name for parameter in outputs] == ["target"]
    assert any("-o" in parameter.opts for parameter in download.params)


def test_a_command_of_a_group_is_found_by_alias_too() -> None:
    @click.group(cls=Group)
    def runs() -> None:
        """Runs."""

    @runs.command("list", aliases=("ls",))
    def list_runs() -> None:
        """List runs."""

    context = click.Context(runs)
    assert runs.get_command(context, "ls") is list_runs
    assert runs.get_command(context, "l") is None


def test_an_argument_may_have_the_name_of_a_global_option(chainloop) -> None:
    @root.command("show", cls=Command, hidden=True)
    @click.argument("token")
    @click.pass_obj
    def show(world, token: str) -> None:
        """Show both."""
        world.output.text(f"{token} {world.given['token']}")

    try:
        assert chainloop("show", "mine", "--token", "theirs").out == "mine theirs\n"
    finally:
        del root.commands["show"]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        (("token", "list"), "chainloop organization api-token"),
        (("login",), "chainloop config save"),
        (("logout",), "chainloop config reset"),
        (("key", "list"), "chainloop organization key"),
    ],
)
def test_a_command_of_another_place_or_program_is_found(chainloop, line: tuple[str, ...], meant: str) -> None:
    done = chainloop(*line)

    assert done.status == 2
    assert f"did you mean `{meant}`?" in done.err


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (("attestation", "add", "--name"), "chainloop attestation add"),
        (("--org", "acme", "att", "add", "--value"), "chainloop attestation add"),
        (("workflow", "run", "list", "--next"), "chainloop workflow run list"),
        (("--token",), "chainloop"),
    ],
)
def test_an_option_without_its_value_leads_to_the_help_of_its_command(chainloop, line, command: str) -> None:
    assert f"hint: see `{command} --help`" in chainloop(*line).err
