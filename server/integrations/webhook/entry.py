"""The entry of the registry."""

from __future__ import annotations

from chainloop_ci.api.words import IntegrationKind
from server.integrations.types import Integration
from server.integrations.webhook.messages import Payload, parts
from server.integrations.webhook.sending import PREVIOUS_SECRET, SECRET, check, deliver

WEBHOOK = Integration(
    kind=IntegrationKind.WEBHOOK,
    title="Any receiver of webhooks; signed as Standard Webhooks says",
    events=(
        "run.*",
        "attestation.*",
        "contract.*",
        "override.*",
        "status.forged",
        "status.contested",
        "credential.expiring",
        "delivery.dead",
        "integration.*",
    ),
    settings_schema={"type": "object", "properties": {}, "additionalProperties": False},
    credential_names=(SECRET, PREVIOUS_SECRET),
    required_credentials=((SECRET,),),
    attachment_schema={
        "type": "object",
        "properties": {
            "payload": {
                "description": "`summary`, or `attestation`: with the stored bundle where the event is about one.",
                "enum": [payload.value for payload in Payload],
                "default": Payload.SUMMARY.value,
            }
        },
        "additionalProperties": False,
    },
    parts=parts,
    deliver=deliver,
    check=check,
    host_is_address=True,
    kept_credentials={SECRET: PREVIOUS_SECRET},
    is_checked_daily=False,
)
