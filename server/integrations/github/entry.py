"""The entry of the registry."""

from __future__ import annotations

from server.integrations.forge_parts import ALWAYS
from server.integrations.github.checking import check
from server.integrations.github.delivering import deliver
from server.integrations.github.listing import list_repositories
from server.integrations.github.parts import parts
from server.integrations.github.words import APP_KEY, ATTACHMENT_SCHEMA, HOST, KIND, SETTINGS_SCHEMA, TOKEN
from server.integrations.types import Integration
from server.model.events import EventKind

GITHUB = Integration(
    kind=KIND,
    title="Commit statuses, check runs and comments on GitHub and GitHub Enterprise Server",
    events=(EventKind.VERDICT_CHANGED.value,),
    settings_schema=SETTINGS_SCHEMA,
    credential_names=(TOKEN, APP_KEY),
    required_credentials=((TOKEN,), (APP_KEY,)),
    attachment_schema=ATTACHMENT_SCHEMA,
    parts=parts,
    deliver=deliver,
    check=check,
    list_repositories=list_repositories,
    always=ALWAYS,
    usual_host=HOST,
    other_names=("https://www.github.com",),
    has_no_path=True,
    answers_verdicts=True,
)
