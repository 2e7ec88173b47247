"""One try of whatever there is to tell or to ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from server.integrations.forge_parts import NOTICE
from server.integrations.gitlab.ci_runs import ask_ci_run
from server.integrations.gitlab.heads import ask_head
from server.integrations.gitlab.hooks import tend_hook
from server.integrations.gitlab.notices import tell_notice
from server.integrations.gitlab.verdicts import tell_note, tell_verdict
from server.integrations.gitlab.words import NOTE, VERDICT
from server.integrations.types import Message, Target, Tools
from server.model.deliveries import Outcome, OutcomeKind
from server.model.forge_answers import CI_RUN, HEAD, HOOK

_PARTS: Mapping[str, Callable[[Target, Message, Tools], Outcome]] = {
    VERDICT: tell_verdict,
    NOTE: tell_note,
    CI_RUN: ask_ci_run,
    HEAD: ask_head,
    HOOK: tend_hook,
    NOTICE: tell_notice,
}


def deliver(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try; whatever GitLab answers becomes an outcome."""
    known = _PARTS.get(message.part)
    if known is None:
        detail = f"expected one of {', '.join(_PARTS)}, found {message.part}"
        return Outcome(OutcomeKind.REFUSED, "part-unknown", detail)
    return known(target, message, tools)
