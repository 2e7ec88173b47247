"""What an event becomes: a verdict to be told, or what every forge is asked. Pure."""

from __future__ import annotations

from server.integrations.forge_parts import common_parts
from server.integrations.gitlab.words import KIND, NOTE, VERDICT, NoteMode
from server.integrations.types import Part
from server.model.events import Event, EventKind
from server.model.integrations import StoredAttachment
from server.model.verdict_content import VerdictContent


def parts(event: Event, attachment: StoredAttachment) -> tuple[Part, ...]:
    """Return what is told and asked because of an event; nothing where it is of another forge."""
    if event.kind is EventKind.VERDICT_CHANGED:
        return _verdict(VerdictContent.from_facts(event.facts), attachment)
    return common_parts(event, attachment, KIND)


def _verdict(content: VerdictContent, attachment: StoredAttachment) -> tuple[Part, ...]:
    if content.repository.kind != KIND:
        return ()
    told = [Part(VERDICT, content.lane, content.to_facts(), replaces_older=True)]
    if attachment.settings.get("note") == NoteMode.ALWAYS and content.pull_request is not None:
        place = f"{content.repository.host}/{content.repository.id}!{content.pull_request}"
        # Not replaced by a newer one: contexts share the note, and each has its line.
        told.append(Part(NOTE, f"{place}:note", content.to_facts()))
    return tuple(told)
