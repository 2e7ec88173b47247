"""What the command says is worded as the plugin's users know it, and what somebody else chose is not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainloop_ci.cli.dialect import Dialect, find_dialect
from chainloop_ci.cli.options import COMMANDS
from chainloop_ci.cli.plugin_inputs import Plugin, github_inputs
from chainloop_ci.contract.compliance import check_compliance
from chainloop_ci.contract.load import load
from chainloop_ci.errors import AlreadyInitializedError
from tests.family.hostile import HOSTILE
from tests.unit.crafting.memory import NOW

ROOT = Path(__file__).resolve().parents[3]
GITHUB, GITLAB, JENKINS = (Dialect(plugin, "craft") for plugin in Plugin)
CONTRACT = b"""\
apiVersion: chainloop.dev/v1
kind: Contract
metadata: {name: release}
spec:
  materials:
    - {type: ARTIFACT, name: binary}
    - {type: SBOM_SPDX_JSON, name: spdx, group: sbom}
    - {type: SBOM_CYCLONEDX_JSON, name: cdx, group: sbom}
    - {type: STRING, name: note, annotations: [{name: team}]}
  annotations: [{name: channel}]
"""


def hints() -> dict[str, str]:
    """Return what is advised about a contract of which nothing is there, by the finding's code and path."""
    contract = load(CONTRACT).contract
    return {f"{found.code} {found.path}": found.hint or "" for found in check_compliance(contract, {})}


# --- options


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (GITHUB, "leave the input `contract-revision` out"),
        (GITLAB, "leave the input `contract-revision` out"),
        (JENKINS, "leave the argument `contractRevision` out"),
        (Dialect(None, "craft"), "leave --contract-revision out"),
    ],
)
def test_an_option_is_called_what_the_plugin_calls_it(dialect: Dialect, expected: str) -> None:
    assert dialect.advice("leave --contract-revision out") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("check --control-plane (CHAINLOOP_CONTROL_PLANE_API); and", "check the input `control-plane`; and"),
        ("give --key or CHAINLOOP_SIGNING_KEY (a path)", "give the input `key` (a path)"),
        ("set CHAINLOOP_TOKEN or --token", "set the input `token`"),
        (
            "use https; --insecure (CHAINLOOP_API_INSECURE=true) allows it",
            "use https; the input `insecure: true` allows it",
        ),
        (
            "leave --contract or --contract-revision out",
            "leave the input `contract` or the input `contract-revision` out",
        ),
        ("correct HTTPS_PROXY or CHAINLOOP_PROXY", "correct HTTPS_PROXY or the input `proxy`"),
        ("asks nobody: --contract FILE", "asks nobody: the input `contract: FILE`"),
        ("or try it with `--local-state-path FILE`", "or try it with the input `local-state-path: FILE`"),
        ("--on-unreachable warn lets it go on", "the input `on-unreachable: warn` lets it go on"),
        ("set it, or keep it with `chainloop config save`; then", "set it; then"),
        ("see `chainloop attestation craft --help`", "see the inputs in `actions/README.md`"),
    ],
)
def test_each_way_to_name_an_option_is_understood(text: str, expected: str) -> None:
    assert GITHUB.advice(text) == expected


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (GITHUB, "give the input `key` and the input `key-password`"),
        (GITLAB, "give the variable CHAINLOOP_SIGNING_KEY and the variable CHAINLOOP_SIGNING_PASSWORD"),
        (
            JENKINS,
            "give the argument `keyCredentialsId` (CHAINLOOP_SIGNING_KEY) and the argument "
            "`keyPasswordCredentialsId` (CHAINLOOP_SIGNING_PASSWORD)",
        ),
    ],
)
def test_a_secret_is_a_variable_or_a_credential_where_it_is_no_input(dialect: Dialect, expected: str) -> None:
    assert dialect.advice("give --key and CHAINLOOP_SIGNING_PASSWORD") == expected


def test_an_input_of_another_action_is_named_with_it() -> None:
    init = Dialect(Plugin.GITHUB, "init")

    assert init.advice("--key (CHAINLOOP_SIGNING_KEY) names it") == "the input `key` of `actions/push` names it"
    assert Dialect(Plugin.JENKINS, "init").advice("leave --bundle out") == "leave the argument `bundle` out"


@pytest.mark.parametrize(
    ("dialect", "text", "expected"),
    [
        (Dialect(Plugin.GITHUB, "add"), "add --replace to take it", "add the input `replace: true` to take it"),
        (JENKINS, "to try it use --dry-run", "to try it use the argument `dryRun: true`"),
        (
            JENKINS,
            "leave --remote-state out, or --dry-run",
            "leave the argument `remoteState` out, or the argument `dryRun`",
        ),
        (
            GITLAB,
            "leave --contract out; or give --dry-run",
            "leave the input `contract` out; or give the input `dry-run: true`",
        ),
    ],
)
def test_a_switch_is_typed_with_its_value_unless_it_is_left_out(dialect: Dialect, text: str, expected: str) -> None:
    assert dialect.advice(text) == expected


def test_the_key_of_a_jenkins_pipeline_is_a_credential_not_a_path() -> None:
    forms = "give --key or CHAINLOOP_SIGNING_KEY (a path, PEM text, or base64 of it)"
    hint = f"{forms}, or keep one with `chainloop config save`"

    assert JENKINS.advice(hint) == (
        "give the argument `keyCredentialsId` (CHAINLOOP_SIGNING_KEY), a credential of the kind «Secret file»"
    )
    assert GITHUB.advice(hint) == "give the input `key` (a path, PEM text, or base64 of it)"


def test_an_option_with_the_flag_of_another_command_is_the_running_command_s() -> None:
    added = Dialect(Plugin.GITLAB, "add")

    # GitLab's template has an input for `init --replace`; `add` is typed in the job.
    assert added.advice("add --replace to change them") == "add --replace to change them"
    assert GITLAB.advice("give --replace") == "give the input `replace: true`"


@pytest.mark.parametrize(
    ("message", "code", "expected"),
    [
        ("--job-status: expected how the job ended", "usage", "the input `job-status`: expected how the job ended"),
        ("CHAINLOOP_DRY_RUN: expected true", "usage", "the input `dry-run` (CHAINLOOP_DRY_RUN): expected true"),
        (
            "the variable CHAINLOOP_TOKEN is set but empty",
            "not-authenticated",
            "the input `token` (CHAINLOOP_TOKEN) is set but empty",
        ),
        ("ended with 0, as --on-unreachable warn asks", "", "ended with 0, as the input `on-unreachable: warn` asks"),
        ("missing option '--value'", "usage", "the input `value` of `actions/add` is missing"),
        ("--insecure is on: not protected", "", "the input `insecure` is on: not protected"),
        (
            "invalid value for '--contract-revision': 'x' is not a valid integer range",
            "usage",
            "invalid value for the input `contract-revision`: 'x' is not a valid integer range",
        ),
    ],
)
def test_a_message_is_read_where_our_templates_name_an_option(message: str, code: str, expected: str) -> None:
    assert GITHUB.message(message, code) == expected


def test_r35_gitlab_s_empty_token_keeps_its_name() -> None:
    message = "the variable CHAINLOOP_TOKEN is set but empty"

    assert GITLAB.message(message, "not-authenticated") == message


# --- commands


def test_another_command_is_another_step_of_a_github_job() -> None:
    hint = AlreadyInitializedError("build", NOW).hint or ""

    assert GITHUB.advice(hint) == (
        "finish it with a step that uses `actions/push`, drop it with a step that uses `actions/reset`, "
        "or begin again with this step with `replace: true`"
    )
    assert Dialect(Plugin.GITHUB, "add").advice("run `chainloop attestation init --remote-state`") == (
        "run a step that uses `actions/init` with `remote-state: true`"
    )
    assert Dialect(Plugin.GITHUB, "push").advice("run `chainloop attestation push` again") == "run this step again"


def test_jenkins_and_gitlab_begin_again_by_their_own_word() -> None:
    hint = AlreadyInitializedError("build", NOW).hint or ""

    assert GITLAB.advice(hint).endswith("or begin again with the input `replace: true`")
    assert JENKINS.advice(hint).endswith("or begin again with the argument `replace: true`")


@pytest.mark.parametrize(
    "text",
    [
        "let an operator run `chainloop workflow update build --contract release`",
        "run `chainloop attestation push --resume chainloop-queued-1.json`",
        "build with `docker buildx build --output type=oci`",
        "`chainloop attestation verify --bundle x`",
        "`chainloop attestation init --nonsense`",
    ],
)
@pytest.mark.parametrize("plugin", Plugin)
def test_a_command_of_somebody_at_another_machine_stays_one(plugin: Plugin, text: str) -> None:
    assert Dialect(plugin, "craft").advice(text) == text


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (GITHUB, "add the line `binary=<file>` under `materials:` of this step"),
        (GITLAB, "add the line `binary=<file>` to the input `materials`"),
        (JENKINS, "add `binary=<file>` to the argument `materials`"),
        (Dialect(None, "craft"), "add `--material binary=<file>` to the command"),
        (
            Dialect(None, "craft", has_variable=True),
            "add the line `binary=<file>` to the variable CHAINLOOP_MATERIALS",
        ),
        (
            Dialect(Plugin.GITHUB, "push"),
            "add a step that uses `actions/add`, with `{name: binary, value: <file>}`",
        ),
        (Dialect(Plugin.JENKINS, "push"), "call `chainloopAdd(name: 'binary', value: '<file>')` in `withChainloop`"),
        (Dialect(Plugin.GITLAB, "push"), "chainloop attestation add --name binary --value <file>"),
        (Dialect(None, "push"), "chainloop attestation add --name binary --value <file>"),
    ],
)
def test_a_missing_material_is_added_as_it_is_typed_here(dialect: Dialect, expected: str) -> None:
    assert dialect.advice(hints()["missing-material /spec/materials/0"]) == expected


def test_each_member_of_a_group_is_said_as_it_is_typed_here() -> None:
    assert GITLAB.advice(hints()["missing-group /spec/materials/1/group"]) == (
        "add the line `spdx=<file>` to the input `materials` or add the line `cdx=<file>` to the input `materials`"
    )


def test_a_material_that_needs_annotations_is_added_by_a_step_of_its_own() -> None:
    assert GITHUB.advice(hints()["missing-material /spec/materials/3"]) == (
        "add a step that uses `actions/add`, with `{name: note, value: <text>, annotations: 'team=<value>'}`"
    )


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (GITHUB, "add the line `channel=<value>` under `annotations:` of this step"),
        (
            Dialect(Plugin.GITHUB, "init"),
            "add the line `channel=<value>` under `annotations:` of the step that uses `actions/push`",
        ),
        (JENKINS, "add the line `channel=<value>` to the argument `annotations`"),
        (Dialect(None, "craft"), "add `--annotation channel=<value>` to the command"),
        (Dialect(None, "push"), "chainloop attestation push --annotation channel=<value>"),
    ],
)
def test_a_missing_annotation_is_added_as_it_is_typed_here(dialect: Dialect, expected: str) -> None:
    assert dialect.advice(hints()["missing-annotation /spec/annotations/0"]) == expected


# --- facts of log lines


def test_the_facts_that_are_advice_are_worded_too() -> None:
    assert GITHUB.fact("did_you_mean", "--material sbom=out/--contract") == "sbom=out/--contract (input materials)"
    assert JENKINS.fact("fix", "give --contract") == "give the argument `contract`"
    assert GITHUB.fact("undo", "chainloop attestation remove --name x") == "take it out of the materials"
    assert Dialect(Plugin.GITHUB, "add").fact("undo", "chainloop attestation remove --name x") == "take this step out"
    assert GITHUB.fact("path", "--contract") == "--contract"


# --- what somebody else chose


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("there is no file --contract", "file-unreadable"),
        ("--contract: file is empty", "material-rejected"),
        ("--material is what a file may be called", "material-rejected"),
        ("expected NAME=VALUE, found '--contract'", "usage"),
        ("two values for the annotation CHAINLOOP_TOKEN", "usage"),
        ("the file ./--contract and --contract.yaml", "usage"),
    ],
)
@pytest.mark.parametrize("plugin", Plugin)
def test_a_value_that_looks_like_an_option_stays_what_it_is(plugin: Plugin, message: str, code: str) -> None:
    assert Dialect(plugin, "craft").message(message, code) == message


def test_a_repeated_name_that_is_an_option_stays_what_it_is() -> None:
    message = GITHUB.message("--material: named more than once: --material", "usage")

    assert message == "the input `materials`: named more than once: --material"


@pytest.mark.parametrize("plugin", Plugin)
def test_t03_no_hostile_text_gets_through_as_anything_else(plugin: Plugin) -> None:
    dialect = Dialect(plugin, "craft")
    known = re.compile(r"--[a-z]|CHAINLOOP_|chainloop ")
    changed = [text for text in HOSTILE if not known.search(text) and dialect.advice(text) != text]

    assert changed == []
    assert [
        text for text in HOSTILE if dialect.message(f"there is no file {text}", "file-unreadable")[17:] != text
    ] == []
    assert all(dialect.advice(f"found '{text}'") == f"found '{text}'" for text in HOSTILE if "'" not in text)


@pytest.mark.parametrize("plugin", Plugin)
def test_t01_no_hostile_name_becomes_a_line_to_type(plugin: Plugin) -> None:
    dialect = Dialect(plugin, "craft")
    commands = [
        command.format(text)
        for text in HOSTILE
        if not re.fullmatch(r"[\w./-]+", text)
        for command in (
            "chainloop attestation add --name {} --value <file>",
            "chainloop attestation push --annotation {}=<value>",
        )
    ]

    assert [text for text in commands if dialect.advice(text) != text] == []


def test_a_word_that_is_no_plugin_of_ours_says_nothing() -> None:
    assert find_dialect({"CHAINLOOP_PLUGIN": "::error::x"}, "craft").plugin is None
    assert find_dialect({"CHAINLOOP_PLUGIN": "github"}, "craft").plugin is Plugin.GITHUB


# --- every text of ours


def texts() -> Iterator[str]:
    """Yield the advice of every error that a job may meet, with X for what is filled in."""
    for path in sorted((ROOT / "chainloop_ci").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in ("hint", "fix"):
                yield text_of(node.value)


def text_of(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return text_of(node.left) + text_of(node.right)
    return "X"


@pytest.mark.parametrize("command", sorted({"craft", "init", "add", "push", "reset", "status"} & set(COMMANDS)))
def test_no_advice_in_a_github_job_names_an_option_that_is_an_input(command: str) -> None:
    dialect = Dialect(Plugin.GITHUB, command)
    inputs = {
        entry.env for name in COMMANDS if name in ("craft", "init", "add", "push") for entry in github_inputs(name)
    }
    flags = {
        flag for options in COMMANDS.values() for option in options if option.env in inputs for flag in option.flags
    }
    # What is nothing but a command stays one where it is none that is known (`test_a_missing_material_…`).
    advised = [text for text in texts() if not text.startswith("chainloop ")]
    said = [re.sub(r"`[^`]*`", "", dialect.advice(text)) for text in advised]

    assert len(said) > 100
    assert [text for text in said if flags & set(re.findall(r"(?<![\w/])--[a-z-]+", text))] == []
