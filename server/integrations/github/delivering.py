"""One try of whatever there is to tell or to ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from server.integrations.forge_parts import NOTICE
from server.integrations.github.ci_runs import ask_ci_run
from server.integrations.github.heads import ask_head
from server.integrations.github.hooks import tend_hook
from server.integrations.github.notices import tell_notice
from server.integrations.github.protection import answer_rule
from server.integrations.github.verdicts import tell_comment, tell_verdict
from server.integrations.github.words import COMMENT, VERDICT
from server.integrations.types import Message, Target, Tools
from server.model.deliveries import Outcome, OutcomeKind
from server.model.forge_answers import CI_RUN, HEAD, HOOK
from server.model.gate_requests import PROTECTION

_PARTS: Mapping[str, Callable[[Target, Message, Tools], Outcome]] = {
    VERDICT: tell_verdict,
    COMMENT: tell_comment,
    CI_RUN: ask_ci_run,
    HEAD: ask_head,
    HOOK: tend_hook,
    PROTECTION: answer_rule,
    NOTICE: tell_notice,
}


def deliver(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try; whatever GitHub answers becomes an outcome."""
    known = _PARTS.get(message.part)
    if known is None:
        detail = f"expected one of {', '.join(_PARTS)}, found {message.part}"
        return Outcome(OutcomeKind.REFUSED, "part-unknown", detail)
    return known(target, message, tools)
