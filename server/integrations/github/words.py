"""The words of registrations, attachments and deliveries of this integration."""

from __future__ import annotations

from enum import StrEnum

from chainloop_ci.api.words import IntegrationKind

KIND = IntegrationKind.GITHUB
HOST = "https://github.com"

TOKEN, APP_KEY = "token", "app-private-key"  # names of credentials

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
    },
    "additionalProperties": False,
}
