"""THE table of what the plugins of the CI systems take and give; `action.yml`, templates, steps and READMEs follow it.

A plugin is thin: each of its inputs becomes one environment variable, and one command reads them. An input that is an
option of the command line has the option's variable, help and default; the others (how the command gets into the job)
are read by the plugin's own scripts. Names are kebab-case; Jenkins writes them in camelCase (`contract-revision` is
`contractRevision` there). Source: design decision 11; CI plugin conventions, section 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from chainloop_ci import __version__
from chainloop_ci.cli.options import (
    ATTESTATION,
    BUILD_WEBHOOK_SECRET_VARIABLE,
    BUILD_WEBHOOK_VARIABLE,
    COMMANDS,
    GLOBAL,
    SIGNING_PASSWORD_VARIABLE,
    Kind,
    Option,
)
from chainloop_ci.records import record


class Plugin(StrEnum):
    """A CI system that we ship a plugin for."""

    GITHUB = "github"
    GITLAB = "gitlab"
    JENKINS = "jenkins"


_ALL = tuple(Plugin)


@record
class Input:
    """One input of the plugins."""

    name: str
    """In kebab-case."""
    env: str
    """The variable that it becomes."""
    help: str
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()
    default: str = ""
    required: bool = False
    secret: bool = False
    """Masked before anything else is done with it. On GitLab and Jenkins it is a variable or a credential, no input."""
    plugins: tuple[Plugin, ...] = _ALL


@record
class Output:
    """One output of the plugins: a step's output on GitHub, a line of the dotenv report on GitLab."""

    name: str
    """In kebab-case."""
    help: str

    @property
    def variable(self) -> str:
        """Return its name where outputs are variables; the prefix keeps it apart from the options' variables."""
        return "CHAINLOOP_OUTPUT_" + self.name.upper().replace("-", "_")


_PLURAL = {"material": "materials", "annotation": "annotations"}
_NOT_OF_A_JOB = ("output", "yes", "config")
"""Options for people at a terminal."""


def _input(option: Option) -> Input:
    name = next(flag for flag in option.flags if flag.startswith("--")).removeprefix("--")
    if option.env is None:
        raise ValueError(f"the option --{name} has no variable: no plugin can hand it over")
    return Input(
        name=_PLURAL.get(name, name),
        env=option.env,
        help=option.help,
        kind=option.kind,
        choices=option.choices,
        default=option.default or "",
        required=option.required,
        secret=option.secret,
    )


_KEY_PASSWORD = Input("key-password", SIGNING_PASSWORD_VARIABLE, "Password of the signing key.", secret=True)
_BUILD_WEBHOOK = (
    Input(
        "build-webhook",
        BUILD_WEBHOOK_VARIABLE,
        "Address of the source's webhook, told that the build ends; not in branches that attest the same workflow.",
        plugins=(Plugin.JENKINS,),
    ),
    Input(
        "build-webhook-secret",
        BUILD_WEBHOOK_SECRET_VARIABLE,
        "Secret of the source's webhook.",
        secret=True,
        plugins=(Plugin.JENKINS,),
    ),
)
"""GitHub and GitLab tell of ends themselves."""

CONNECTION: tuple[Input, ...] = tuple(
    _input(option) for option in (*GLOBAL, *ATTESTATION) if option.name not in _NOT_OF_A_JOB
)
"""Inputs of every step: where the control plane is, as whom, and where the state lives."""


def step_inputs(command: str) -> tuple[Input, ...]:
    """Return the inputs of the step that runs `chainloop attestation <command>`, without `CONNECTION`."""
    own = [_input(option) for option in COMMANDS[command]]
    if any(entry.name == "key" for entry in own):
        place = next(index for index, entry in enumerate(own) if entry.name == "key")
        own.insert(place + 1, _KEY_PASSWORD)
    return tuple(own)


INSTALL: tuple[Input, ...] = (
    Input(
        "python",
        "CHAINLOOP_INSTALL_PYTHON",
        "Python 3.11 or newer to install with; empty: looked for on the machine.",
    ),
    Input(
        "package-index",
        "CHAINLOOP_INSTALL_INDEX",
        "Address of the package index; empty: that of pip's or uv's own settings.",
    ),
    Input(
        "wheels",
        "CHAINLOOP_INSTALL_WHEELS",
        "Folder with the wheels of the lock, for machines without a package index.",
    ),
    Input(
        "source",
        "CHAINLOOP_INSTALL_SOURCE",
        "Where a job whose image lacks the command installs it from: the git address of chainloop, or the folder of a "
        "checkout; empty: the image has it.",
        plugins=(Plugin.GITLAB, Plugin.JENKINS),
    ),
    Input(
        "source-ref",
        "CHAINLOOP_INSTALL_REF",
        "Tag, branch or commit of the input `source`.",
        default=f"v{__version__}",
        plugins=(Plugin.GITLAB, Plugin.JENKINS),
    ),
    Input(
        "ca-bundle",
        "CHAINLOOP_CA_BUNDLE",
        "CA certificates of the network, trusted besides the machine's, for every connection: a PEM file, or the PEM "
        "text.",
    ),
    Input(
        "proxy",
        "CHAINLOOP_PROXY",
        "Proxy for every connection, like http://proxy.example.com:3128 (http:// may be left out); empty: the job's "
        "HTTPS_PROXY.",
        secret=True,
    ),
    Input(
        "no-proxy",
        "CHAINLOOP_NO_PROXY",
        "Hosts that are reached without it, separated by commas: names, domains, host:port, networks; empty: the job's "
        "NO_PROXY.",
    ),
)
"""How the command gets into the job, and through which network."""

OUTPUTS: tuple[Output, ...] = (
    Output("run-id", "Id of the workflow run; empty on a dry run."),
    Output("run-url", "Page of the run on the control plane, when it has one."),
    Output("attestation-digest", "Digest of the stored attestation (sha256:…); empty when nothing was stored."),
    Output("bundle-path", "File that holds the signed bundle; empty when none was written."),
    Output("state", "initialized, success, error or canceled; dry-run, queued or unreachable when nothing was stored."),
    Output("compliant", "true when everything that the contract requires is there, else false."),
    Output("attestation-id", "Id for the input attestation-id of later jobs; empty unless the state is shared."),
    Output("sealed-handle", "For the input sealed-handle of later jobs: it opens with the same token only."),
    Output("missing-materials", "Names of the required materials that are missing, as a JSON list."),
)
"""What every step gives, as far as it is known then."""

# --- what each plugin makes of them ----------------------------------------------------------------------------------

SAID_BY_THE_TEMPLATE = frozenset({"job-status", "job-workflow"})
"""Options that are no inputs on GitLab: the template's own scripts say the one, GitHub alone has the other."""
SAID_BY_CREDENTIALS = frozenset({"registry-username"})
"""Options that are no arguments on Jenkins, since they come with a credential."""
SAID_BY_THE_STEP = frozenset({"job-status", "attestation-id", "sealed-handle", "resume"})
"""Options of `push` that `withChainloop` says itself, and the one for an attestation that is over."""

JENKINS_STEPS: Mapping[str, tuple[str, ...]] = {
    "chainloopAttest": ("connection", "install", "craft"),
    "withChainloop": ("connection", "install", "init", "push"),
    "chainloopAdd": ("connection", "install", "add"),
    "chainloopInstall": ("install",),
}
"""The steps of Jenkins and the groups of arguments that they take: the two tables above, and commands."""
JENKINS_CREDENTIALS: Mapping[str, tuple[str, str, str]] = {
    "token": ("tokenCredentialsId", "CHAINLOOP_JENKINS_TOKEN", "Secret text"),
    "key": ("keyCredentialsId", "CHAINLOOP_JENKINS_KEY", "Secret file"),
    "key-password": ("keyPasswordCredentialsId", "CHAINLOOP_JENKINS_KEY_PASSWORD", "Secret text"),
    "registry-password": ("registryCredentialsId", "CHAINLOOP_JENKINS_REGISTRY", "Username with password"),
    "build-webhook-secret": ("buildWebhookCredentialsId", "CHAINLOOP_JENKINS_BUILD_WEBHOOK", "Secret text"),
    "proxy": ("proxyCredentialsId", "CHAINLOOP_JENKINS_PROXY", "Secret text"),
}
"""For each secret input the argument that names a credential, the variable that carries its id, and the kind."""


def camel(name: str) -> str:
    """Return the name of an argument of Jenkins: `contractRevision`."""
    first, *others = name.split("-")
    return first + "".join(word.capitalize() for word in others)


def github_inputs(command: str) -> tuple[Input, ...]:
    """Return the inputs of the action that runs a command: its own first."""
    return _of(Plugin.GITHUB, (*step_inputs(command), *CONNECTION, *INSTALL))


def gitlab_inputs(*commands: str) -> tuple[Input, ...]:
    """Return what a template hands over, by default that of `craft`; the secrets of these are variables, no inputs."""
    steps = (row for command in commands or ("craft",) for row in step_inputs(command))
    # Two commands may share an option.
    rows = {row.name: row for row in _of(Plugin.GITLAB, (*CONNECTION, *steps, *INSTALL))}
    return tuple(row for row in rows.values() if row.name not in SAID_BY_THE_TEMPLATE)


def jenkins_inputs(group: str) -> tuple[Input, ...]:
    """Return the inputs of a group of `JENKINS_STEPS`; the secrets of these are credentials, no arguments."""
    rows = {"connection": CONNECTION, "install": INSTALL}.get(group) or step_inputs(group)
    if group in ("craft", "push"):
        rows += _BUILD_WEBHOOK
    said = SAID_BY_CREDENTIALS | (SAID_BY_THE_STEP if group == "push" else frozenset())
    return tuple(row for row in _of(Plugin.JENKINS, rows) if row.name not in said)


def _of(plugin: Plugin, rows: tuple[Input, ...]) -> tuple[Input, ...]:
    return tuple(row for row in rows if plugin in row.plugins)
