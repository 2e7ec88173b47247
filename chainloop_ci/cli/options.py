"""THE table of options and environment variables; `--help`, the plugins of the CI systems and the docs follow it.

The order of precedence is: what was typed, the variable, `.chainloop.yml` (attestations only, R21), the configuration
file, the default. A variable that is set but empty counts as not set; an empty token is an error (R35).
Source of names: reference sections 1.1 and 1.3.
"""

from __future__ import annotations

from dataclasses import replace

from chainloop_ci.api.words import CancelTrigger
from chainloop_ci.cli.option import Kind as Kind
from chainloop_ci.cli.option import OnUnreachable as OnUnreachable
from chainloop_ci.cli.option import Option as Option

GLOBAL: tuple[Option, ...] = (
    Option(
        "control_plane",
        ("--control-plane",),
        "URL of the control plane.",
        env="CHAINLOOP_CONTROL_PLANE_API",
        metavar="URL",
    ),
    Option(
        "control_plane_ca",
        ("--control-plane-ca",),
        "CA certificates for it: a PEM file, or the PEM text.",
        env="CHAINLOOP_CONTROL_PLANE_API_CA",
        metavar="PEM",
    ),
    Option(
        "insecure",
        ("--insecure", "-i"),
        "Allow http to another machine. The token can then be read by others.",
        Kind.SWITCH,
        env="CHAINLOOP_API_INSECURE",
    ),
    Option("token", ("--token", "-t"), "API token.", env="CHAINLOOP_TOKEN", secret=True),
    Option(
        "organization",
        ("--org", "-n"),
        "Organization; only an instance token needs it.",
        env="CHAINLOOP_ORGANIZATION",
        metavar="NAME",
    ),
    Option(
        "patience",
        ("--patience",),
        "Seconds without an answer of the control plane after which the command gives up, attempts included.",
        Kind.NUMBER,
        env="CHAINLOOP_PATIENCE_SECONDS",
        metavar="SECONDS",
        default="18",
    ),
    Option("config", ("--config", "-c"), "Configuration file.", Kind.PATH, env="CHAINLOOP_CONFIG"),
    Option(
        "output", ("--output", "-o"), "Form of the result.", Kind.CHOICE, choices=("table", "json"), default="table"
    ),
    Option("yes", ("--yes", "-y"), "Do not ask for confirmation.", Kind.SWITCH),
    Option("debug", ("--debug",), "Show what helps to find a fault.", Kind.SWITCH, env="CHAINLOOP_DEBUG"),
)
"""Accepted before and after every command."""

ATTESTATION: tuple[Option, ...] = (
    Option(
        "local_state_path",
        ("--local-state-path",),
        "File that holds the attestation while it is crafted.",
        Kind.PATH,
        env="CHAINLOOP_LOCAL_STATE_PATH",
    ),
    Option(
        "graceful_exit",
        ("--graceful-exit",),
        "End with 0 when craft, init, push or reset fail; not for wrong options or a second init.",
        Kind.SWITCH,
        env="CHAINLOOP_GRACEFUL_EXIT",
    ),
    Option(
        "on_unreachable",
        ("--on-unreachable",),
        "When the control plane does not answer: fail, warn (end with 0), or queue (keep the signed attestation for "
        "`push --resume`).",
        Kind.CHOICE,
        choices=tuple(word.value for word in OnUnreachable),
        default=OnUnreachable.FAIL.value,
        env="CHAINLOOP_ON_UNREACHABLE",
    ),
    Option(
        "report_dir",
        ("--report-dir",),
        "Folder for what the CI system shows of this step: report.md, junit.xml, outputs.env.",
        Kind.PATH,
        env="CHAINLOOP_REPORT_DIR",
    ),
    Option(
        "deactivate_ci_report",
        ("--deactivate-ci-report",),
        "Tell the CI system nothing: no summary, annotations, outputs or report files.",
        Kind.SWITCH,
        env="CHAINLOOP_DEACTIVATE_CI_REPORT",
    ),
)
"""Accepted by `attestation` and all of its commands."""

_ANNOTATIONS = Option(
    "annotations", ("--annotation",), "Annotation; may be repeated.", Kind.PAIRS, env="CHAINLOOP_ANNOTATIONS"
)

_REMOTE_STATE = Option(
    "remote_state",
    ("--remote-state",),
    "Let the control plane keep the attestation while it is crafted, so that other jobs can add to it and push it.",
    Kind.SWITCH,
    env="CHAINLOOP_REMOTE_STATE",
)

_SHARED: tuple[Option, ...] = (
    Option(
        "attestation_id",
        ("--attestation-id",),
        "Go on with the attestation that another job has begun for several jobs.",
        env="CHAINLOOP_ATTESTATION_ID",
        metavar="ID",
    ),
    Option(
        "sealed_handle",
        ("--sealed-handle",),
        "What that job gave out besides the id; it opens with the same token only.",
        env="CHAINLOOP_SEALED_HANDLE",
        metavar="TEXT",
    ),
)
"""Which attestation of the control plane is meant, instead of the one in this job's state file."""

INIT: tuple[Option, ...] = (
    Option(
        "workflow",
        ("--workflow",),
        "Workflow; not needed with a token that is bound to one.",
        env="CHAINLOOP_WORKFLOW_NAME",
        metavar="NAME",
        replaces=("--workflow-name", "--name"),
    ),
    Option("project", ("--project",), "Project of the workflow.", env="CHAINLOOP_PROJECT_NAME", metavar="NAME"),
    Option(
        "contract",
        ("--contract",),
        "Contract: a file, or the name of the stored one. With an operator's token another text becomes the contract's "
        "new revision, for every workflow that uses it; with a job's token it must equal the stored one. "
        "The address of a public contract is for jobs without secrets.",
        env="CHAINLOOP_CONTRACT",
        metavar="FILE|NAME|URL",
    ),
    Option(
        "contract_revision",
        ("--contract-revision",),
        "Revision of the contract; 0 is the newest.",
        Kind.NUMBER,
        env="CHAINLOOP_CONTRACT_REVISION",
    ),
    Option("version", ("--version",), "Version of the project.", env="CHAINLOOP_PROJECT_VERSION"),
    Option(
        "attestation_name",
        ("--attestation",),
        "Entry of .chainloop.yml to take workflow, project, version and annotations from.",
        env="CHAINLOOP_ATTESTATION_NAME",
        metavar="NAME",
        replaces=("--attestation-name",),
    ),
    Option(
        "dry_run",
        ("--dry-run",),
        "Try the contract: any runner, nothing is stored.",
        Kind.SWITCH,
        env="CHAINLOOP_DRY_RUN",
    ),
    Option(
        "job_index",
        ("--job-index",),
        "Which leg of a matrix this job is, where the CI system has no variable for it.",
        env="CHAINLOOP_JOB_INDEX",
        metavar="INDEX",
    ),
    Option(
        "job_workflow",
        ("--job-workflow",),
        "Workflow file that the job stands in, where a reusable one is called: GitHub's job.workflow_ref.",
        env="CHAINLOOP_JOB_WORKFLOW",
        metavar="REF",
    ),
    Option(
        "replace",
        ("--replace", "-f"),
        "End the attestation that is being crafted here.",
        Kind.SWITCH,
        env="CHAINLOOP_REPLACE",
    ),
    _REMOTE_STATE,
)

ADD: tuple[Option, ...] = (
    Option(
        "value",
        ("--value",),
        "Path, pattern, text, image reference, OCI layout (DIR or DIR@sha256:…) or buildx metadata file.",
        env="CHAINLOOP_MATERIAL_VALUE",
        required=True,
    ),
    Option("name", ("--name",), "Name of the material, as in the contract.", env="CHAINLOOP_MATERIAL_NAME"),
    Option(
        "type",
        ("--kind",),
        "Type of the material, when the contract does not say it.",
        env="CHAINLOOP_MATERIAL_TYPE",
        metavar="TYPE",
    ),
    replace(_ANNOTATIONS, env="CHAINLOOP_MATERIAL_ANNOTATIONS"),
    Option(
        "no_strict_validation",
        ("--no-strict-validation",),
        "Accept documents that violate their schema but can be read.",
        Kind.SWITCH,
        env="CHAINLOOP_NO_STRICT_VALIDATION",
    ),
    Option(
        "replace",
        ("--replace",),
        "Replace what was added under this name with other content.",
        Kind.SWITCH,
        env="CHAINLOOP_REPLACE_MATERIAL",
    ),
    Option(
        "registry_server",
        ("--registry-server",),
        "Container registry.",
        env="CHAINLOOP_REGISTRY_SERVER",
        metavar="HOST",
    ),
    Option("registry_username", ("--registry-username",), "User of the registry.", env="CHAINLOOP_REGISTRY_USERNAME"),
    Option(
        "registry_password",
        ("--registry-password",),
        "Password of the registry.",
        env="CHAINLOOP_REGISTRY_PASSWORD",
        secret=True,
    ),
    *_SHARED,
)

_REGISTRY = tuple(option for option in ADD if option.name.startswith("registry_"))

STATUS: tuple[Option, ...] = (
    Option(
        "full",
        ("--full",),
        "Show values, digests and the runner's variables too.",
        Kind.SWITCH,
        env="CHAINLOOP_STATUS_FULL",
    ),
    *_SHARED,
)

_JOB_STATUS = Option(
    "job_status",
    ("--job-status",),
    "How the job ended, in the CI system's own word: after failure or cancelled the run ends without an attestation.",
    env="CHAINLOOP_JOB_STATUS",
    metavar="STATUS",
)

_KEY_TEXT = "a path, env://NAME, PEM text, or base64 of it"

PUSH: tuple[Option, ...] = (
    Option(
        "key", ("--key", "-k"), f"Signing key: {_KEY_TEXT}.", env="CHAINLOOP_SIGNING_KEY", metavar="KEY", secret=True
    ),
    _ANNOTATIONS,
    Option(
        "bundle",
        ("--bundle",),
        "File to write the stored bundle to; only a bundle is replaced.",
        Kind.PATH,
        env="CHAINLOOP_BUNDLE_PATH",
    ),
    _JOB_STATUS,
    *_SHARED,
    Option(
        "resume",
        ("--resume",),
        "Complete the attestation that was kept in this file while the control plane did not answer.",
        Kind.PATH,
        env="CHAINLOOP_RESUME_FILE",
    ),
)

CRAFT: tuple[Option, ...] = (
    *(option for option in INIT if option.name not in ("replace", "remote_state")),
    Option(
        "materials",
        ("--material",),
        "A material of the contract and its value, as for `add`, or a pattern of files (*, ?, [...], **); may be "
        "repeated. Wins over .chainloop.yml.",
        Kind.LIST,
        env="CHAINLOOP_MATERIALS",
        metavar="NAME=VALUE",
    ),
    Option(
        "checksums",
        ("--checksums",),
        "Checksums of what was built, as sha256sum writes them: all files must be what it says, and become the "
        "contract's materials by name or type.",
        Kind.PATH,
        env="CHAINLOOP_CHECKSUMS",
        metavar="FILE",
    ),
    Option(
        "artifact_list",
        ("--artifact-list",),
        "List of what was built, one path a line or JSON; the files become the contract's materials by name or type.",
        Kind.PATH,
        env="CHAINLOOP_ARTIFACT_LIST",
        metavar="FILE",
    ),
    next(option for option in ADD if option.name == "no_strict_validation"),
    *_REGISTRY,
    *(option for option in PUSH if option not in _SHARED and option.name != "resume"),
    next(option for option in INIT if option.name == "replace"),
    _REMOTE_STATE,
)

RESET: tuple[Option, ...] = (
    Option(
        "trigger",
        ("--trigger",),
        "Why the attestation ends.",
        Kind.CHOICE,
        choices=(CancelTrigger.FAILURE.value, CancelTrigger.CANCELLATION.value),
        default=CancelTrigger.FAILURE.value,
        env="CHAINLOOP_RESET_TRIGGER",
    ),
    Option("reason", ("--reason",), "Reason, for people.", env="CHAINLOOP_RESET_REASON"),
    Option(
        "force",
        ("--force",),
        "Forget the attestation here even when the control plane cannot be told.",
        Kind.SWITCH,
        env="CHAINLOOP_RESET_FORCE",
    ),
    *_SHARED,
)

REMOVE: tuple[Option, ...] = (Option("name", ("--name",), "Name of the material.", required=True), *_SHARED)

VERIFY: tuple[Option, ...] = (
    Option("bundle", ("--bundle", "-b"), "Bundle or envelope to verify.", Kind.PATH, required=True),
    Option(
        "key",
        ("--key", "-k"),
        f"Public key: {_KEY_TEXT}.",
        env="CHAINLOOP_SIGNING_PUBLIC_KEY",
        metavar="KEY",
    ),
)

DESCRIBE: tuple[Option, ...] = (
    Option("bundle", ("--bundle", "-b"), "Bundle or envelope to show.", Kind.PATH, required=True),
)

COMMANDS = {
    "craft": CRAFT,
    "init": INIT,
    "add": ADD,
    "remove": REMOVE,
    "status": STATUS,
    "push": PUSH,
    "reset": RESET,
    "verify": VERIFY,
    "describe": DESCRIBE,
}
"""Options of each attestation command, in the order of its help."""

SIGNING_PASSWORD_VARIABLE = "CHAINLOOP_SIGNING_PASSWORD"  # noqa: S105 - its name, not its value
"""Password of the signing key; there is no option for it: command lines are readable by others."""
SIGNING_PASSWORD_FILE_VARIABLE = "CHAINLOOP_SIGNING_PASSWORD_FILE"  # noqa: S105
"""File that holds it."""
BUILD_WEBHOOK_VARIABLE = "CHAINLOOP_BUILD_WEBHOOK_URL"
"""Where `push` and `craft` say that a build of Jenkins ends; our Jenkins steps set it."""
BUILD_WEBHOOK_SECRET_VARIABLE = "CHAINLOOP_BUILD_WEBHOOK_SECRET"  # noqa: S105
"""What that is signed with."""
PLUGIN_VARIABLE = "CHAINLOOP_PLUGIN"
"""Which of our plugins runs the command (`plugin_inputs.Plugin`): each sets it, and is answered in its own words."""


def find_option(name: str) -> Option:
    """Return the global or attestation-wide option called `name`."""
    return next(option for option in (*GLOBAL, *ATTESTATION) if option.name == name)
