"""The words of registrations, attachments and deliveries of this integration."""

from __future__ import annotations

from enum import StrEnum

from chainloop_ci.api.words import IntegrationKind
from server.integrations.forge_parts import NoticeMode

KIND = IntegrationKind.GITLAB
HOST = "https://gitlab.com"

TOKEN = "token"  # noqa: S105  # a credential's name

VERDICT, NOTE = "verdict", "note"
"""Parts that tell; those that ask are named in `server.model.forge_answers`."""


class Surface(StrEnum):
    """Where a verdict is shown."""

    STATUS = "status"
    EXTERNAL_CHECK = "external-check"
    """An external status check of the project, which only GitLab Ultimate has."""


class NoteMode(StrEnum):
    """When a note of the merge request is written."""

    LAST_RESORT = "last-resort"
    """One for each verdict that no status can show."""
    ALWAYS = "always"
    """One that lists all verdicts."""
    NEVER = "never"


SETTINGS_SCHEMA = {
    "type": "object",
    "properties": {
        "repositories": {
            "description": "`GROUP/PROJECT` of each project that verdicts are told of.",
            "type": "array",
            "items": {"type": "string", "pattern": r"^[A-Za-z0-9_.-]{1,255}(/[A-Za-z0-9_.-]{1,255}){1,20}$"},
            "minItems": 1,
            "maxItems": 500,
            "uniqueItems": True,
        },
    },
    "additionalProperties": False,
}
ATTACHMENT_SCHEMA = {
    "type": "object",
    "properties": {
        "surface": {
            "description": "`status`, or `external-check` for an external status check (GitLab Ultimate).",
            "enum": [surface.value for surface in Surface],
            "default": Surface.STATUS.value,
        },
        "note": {
            "description": "When a note of the merge request is written: `last-resort` where a verdict can be shown no "
            "other way, `always` for one note that lists all verdicts, `never`.",
            "enum": [mode.value for mode in NoteMode],
            "default": NoteMode.LAST_RESORT.value,
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
