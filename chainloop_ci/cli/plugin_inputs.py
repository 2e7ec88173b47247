"""THE table of what the plugins of the CI systems take and give; `action.yml`, templates, steps and READMEs follow it.

A plugin is thin: each of its inputs becomes one environment variable, and one command reads them. An input that is an
option of the command line has the option's variable, help and default; the others (how the command gets into the job)
are read by the plugin's own scripts. Names are kebab-case; Jenkins writes them in camelCase (`contract-revision` is
`contractRevision` there). Source: design decision 11; CI plugin conventions, section 4.1.
"""

from __future__ import annotations

from enum import StrEnum

from chainloop_ci import __version__
from chainloop_ci.cli.options import ATTESTATION, COMMANDS, GLOBAL, SIGNING_PASSWORD_VARIABLE, Kind, Option
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
