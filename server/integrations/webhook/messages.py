"""What an event becomes for a receiver: one message, whose form `docs/webhook-event.schema.json` describes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from chainloop_ci.api.limits import BUNDLE_MEDIA_TYPE
from chainloop_ci.attestation.times import render_time
from server.integrations.types import Part
from server.model.events import Event
from server.model.integrations import StoredAttachment

_ATTESTATION = "attestation"


class Payload(StrEnum):
    """How much a message holds."""

    SUMMARY = "summary"
    ATTESTATION = "attestation"
    """With the stored bundle, where the event is about one."""


def parts(event: Event, attachment: StoredAttachment) -> tuple[Part, ...]:
    """Return the one message of an event; in order for each run, else for each thing that it happened to."""
    facts = {name: value for name, value in event.facts.items() if value is not None}
    told = {
        "eventId": event.id,
        "organizationId": event.organization_id,
        "projectId": event.project_id,
        "workflowId": event.workflow_id,
        "runId": event.run_id,
        "subject": event.subject,
        "facts": facts,
    }
    content: dict[str, object] = {
        "type": event.kind.value,
        "timestamp": render_time(event.at),
        "data": {name: value for name, value in told.items() if value is not None},
    }
    digest = facts.get("attestationDigest")
    if digest and attachment.settings.get("payload") == Payload.ATTESTATION:
        # Not its bytes: they are in the store for good, and no bytes but these have this digest.
        content[_ATTESTATION] = digest
    return (Part("message", f"run:{event.run_id}" if event.run_id else f"subject:{event.subject}", content),)


def render(content: Mapping[str, Any], load: Callable[[str], bytes]) -> bytes:
    """Return the body of a message: the same bytes for the same content; `load` returns a bundle by its digest."""
    document = {name: value for name, value in content.items() if name != _ATTESTATION}
    if digest := content.get(_ATTESTATION):
        bundle = {
            "digest": digest,
            "mediaType": BUNDLE_MEDIA_TYPE,
            "bundle": base64.b64encode(load(str(digest))).decode(),
        }
        document["data"] = {**document["data"], _ATTESTATION: bundle}
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
