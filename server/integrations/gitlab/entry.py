"""The entry of the registry."""

from __future__ import annotations

from server.integrations.forge_parts import ALWAYS
from server.integrations.gitlab.checking import check
from server.integrations.gitlab.delivering import deliver
from server.integrations.gitlab.listing import list_repositories
from server.integrations.gitlab.parts import parts
from server.integrations.gitlab.words import ATTACHMENT_SCHEMA, HOST, KIND, SETTINGS_SCHEMA, TOKEN
from server.integrations.types import Integration
from server.model.events import EventKind

GITLAB = Integration(
    kind=KIND,
    title="Commit statuses, external status checks and notes on GitLab.com and self-managed GitLab",
    events=(EventKind.VERDICT_CHANGED.value,),
    settings_schema=SETTINGS_SCHEMA,
    credential_names=(TOKEN,),
    required_credentials=((TOKEN,),),
    attachment_schema=ATTACHMENT_SCHEMA,
    parts=parts,
    deliver=deliver,
    check=check,
    list_repositories=list_repositories,
    always=ALWAYS,
    usual_host=HOST,
    answers_verdicts=True,
)
