"""The words of registrations, attachments and deliveries of this integration."""

from __future__ import annotations

from enum import StrEnum

from chainloop_ci.api.gates import MAX_GATE_WORKFLOWS, WORKFLOW_PATTERN
from chainloop_ci.api.limits import MAX_NAME
from chainloop_ci.api.words import IntegrationKind
from server.integrations.forge_parts import NoticeMode
from server.model.app_installations import APP_KEY as APP_KEY

KIND = IntegrationKind.GITHUB
HOST = "https://github.com"

TOKEN = "token"  # noqa: S105  # name of a credential, as APP_KEY

VERDICT, COMMENT = "verdict", "comment"
"""Parts that tell; those that ask are named in `server.model.forge_answers`."""


class Surface(StrEnum):
    """Where a verdict is shown."""

    STATUS = "status"
    CHECK = "check"
    """A check run, which only an App makes."""


SETTINGS_SCHEMA = {
    "type": "object",
    "properties": {
        "repositories": {
            "description": "`OWNER/NAME` of each repository that verdicts are told of.",
            "type": "array",
            "items": {"type": "string", "pattern": r"^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$"},
            "minItems": 1,
            "maxItems": 500,
            "uniqueItems": True,
        },
        "appId": {"description": "Number of your GitHub App.", "type": "integer", "minimum": 1},
        "installationId": {
            "description": "Number of the App's installation in the account of the repositories.",
            "type": "integer",
            "minimum": 1,
        },
        "environments": {
            "description": "`PROJECT/WORKFLOW` of each workflow that deployments to an environment need; an "
            "environment that is not named here needs all that have to attest the commit. Upper and lower case of its "
            "name are one.",
            "type": "object",
            "maxProperties": 100,
            "propertyNames": {"minLength": 1, "maxLength": 255},
            "additionalProperties": {
                "type": "array",
                "items": {"type": "string", "pattern": WORKFLOW_PATTERN, "maxLength": 2 * MAX_NAME + 1},
                "minItems": 1,
                "maxItems": MAX_GATE_WORKFLOWS,
                "uniqueItems": True,
            },
        },
    },
    "required": ["repositories"],
    "dependentRequired": {"appId": ["installationId"], "installationId": ["appId"]},
    "additionalProperties": False,
}
ATTACHMENT_SCHEMA = {
    "type": "object",
    "properties": {
        "surface": {
            "description": "`status`, or `check` for check runs of an App; with an App's key `check` unless set.",
            "enum": [surface.value for surface in Surface],
        },
        "comment": {
            "description": "Whether a comment of each pull request, kept in place, lists its verdicts.",
            "type": "boolean",
            "default": False,
        },
        "notices": {
            "description": "How the team is told once what a contract revision will ask of it: `issue` opens one for "
            "each revision in the repository, `off` leaves it to others.",
            "enum": [mode.value for mode in NoticeMode],
            "default": NoticeMode.ISSUE.value,
        },
    },
    "additionalProperties": False,
}
