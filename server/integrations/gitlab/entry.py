"""The entry of the registry."""

from __future__ import annotations

from server.integrations.gitlab.checking import check
from server.integrations.gitlab.delivering import deliver
from server.integrations.gitlab.parts import QUESTIONS, parts
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
    always=(
        *(kind.value for kind in QUESTIONS),
        EventKind.HEAD_SEEN.value,
        EventKind.HOOK_ASKED.value,
        EventKind.CONTRACT_ANNOUNCED.value,
    ),
    usual_host=HOST,
    has_repositories=True,
    answers_verdicts=True,
)
