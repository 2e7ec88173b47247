"""What an event becomes: a verdict or the answer of a gate to be told, or what every forge is asked. Pure."""

from __future__ import annotations

from server.integrations.forge_parts import common_parts, is_of
from server.integrations.github.words import COMMENT, KIND, VERDICT
from server.integrations.types import Part
from server.model.events import Event, EventKind
from server.model.gate_requests import PROTECTION, GateContent
from server.model.integrations import StoredAttachment
from server.model.verdict_content import VerdictContent


def parts(event: Event, attachment: StoredAttachment) -> tuple[Part, ...]:
    """Return what is told and asked because of an event; nothing where it is of another forge."""
    if event.kind is EventKind.VERDICT_CHANGED:
        return _verdict(VerdictContent.from_facts(event.facts), attachment)
    if event.kind is EventKind.GATE_ANSWERED:
        return _gate(event)
    return common_parts(event, attachment, KIND)


def _verdict(content: VerdictContent, attachment: StoredAttachment) -> tuple[Part, ...]:
    if content.repository.kind != KIND:
        return ()
    told = [Part(VERDICT, content.lane, content.to_facts(), replaces_older=True)]
    if attachment.settings.get("comment") and content.pull_request is not None:
        place = f"{content.repository.host}/{content.repository.id}#{content.pull_request}"
        # Not replaced by a newer one: contexts share the comment, and each has its line.
        told.append(Part(COMMENT, f"{place}:comment", content.to_facts()))
    return tuple(told)


def _gate(event: Event) -> tuple[Part, ...]:
    if not is_of(event, KIND):
        return ()
    content = GateContent.from_facts(event.facts)
    return (Part(PROTECTION, content.lane, content.to_facts(), replaces_older=True),)
