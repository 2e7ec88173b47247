"""Our webhook of a repository: created, repaired, given the newest secret, its failed deliveries asked for again.

GitHub never sends by itself again what was not taken, keeps deliveries for three days and never shows a secret.
Sources: GitHub Docs, REST pages «Repository webhooks» and «Repository webhook deliveries», "Handling failed webhook
deliveries".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from chainloop_ci.api.record import from_dict, to_dict
from chainloop_ci.api.source_hooks import HookMode, HookState
from server.integrations.answers import require_repository
from server.integrations.github.access import ask
from server.integrations.github.patience import Patience
from server.integrations.hook_tending import Kept, Tending, secret_of
from server.integrations.types import Message, Target, Tools
from server.model.deliveries import Outcome, OutcomeKind
from server.model.forge_answers import HookAnswer, HookQuestion

if TYPE_CHECKING:
    from github import Github
    from github.Hook import Hook
    from github.HookDelivery import HookDeliverySummary
    from github.Repository import Repository

NEED = "Webhooks: write"
EVENTS = (
    "check_run",
    "check_suite",
    "merge_group",
    "pull_request",
    "push",
    "status",
    "workflow_job",
    "workflow_run",
)
"""What we listen to; protection rules and installations come to an App's own endpoint only (R42)."""
KEPT = timedelta(days=3)
"""How long GitHub keeps deliveries."""
MAX_LOOKED_AT = 500
"""Deliveries of one look."""
MAX_ASKED = 20
"""Deliveries that are asked for again in one try."""


def tend_hook(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try."""
    question = from_dict(HookQuestion, message.content)
    tending = Tending(question, Kept.read(message.memory))

    def work(client: Github) -> Outcome:
        number = require_repository(target, question.repository.host, question.repository.id)
        hooks = _Hooks(client.get_repo(number), tending, Patience(tools.now))
        answer, after = hooks.tend(secret_of(target, question, tools), tools.now())
        return Outcome(OutcomeKind.DELIVERED, "200", answer=to_dict(answer), remember=to_dict(after))

    return ask(target, tools, NEED, message.attempt, work)


@dataclass(frozen=True, slots=True)
class _Hooks:
    repository: Repository
    tending: Tending
    patience: Patience

    def tend(self, secret: Callable[[], str], now: datetime) -> tuple[HookAnswer, Kept]:
        ours = self._ours()
        found = self._look(ours)
        if self.tending.question.mode is HookMode.SYNC:
            return self._sync(ours, found, secret())
        return self._failed(ours[0], found, now) if ours else (found, self.tending.kept)

    def _ours(self) -> list[Hook]:
        """Return our webhooks, the one that we know of first: by its number, or by the address, which is only ours."""
        known = self.tending.question.hook_id
        found = [
            hook
            for hook in self.patience.each(self.repository.get_hooks())
            if str(hook.id) == known or hook.config.get("url") == self.tending.question.url
        ]
        return sorted(found, key=lambda hook: str(hook.id) != known)

    def _look(self, ours: list[Hook]) -> HookAnswer:
        differences = _differences(ours[0], self.tending.question.url) if ours else ()
        return self.tending.found([str(hook.id) for hook in ours], differences)

    def _sync(self, ours: list[Hook], found: HookAnswer, secret: str) -> tuple[HookAnswer, Kept]:
        url = self.tending.question.url
        config = {"url": url, "content_type": "json", "insecure_ssl": "0", "secret": secret}
        self.patience.require()
        if not ours:
            made = self.repository.create_hook("web", config, list(EVENTS), active=True)
            return replace(found, state=HookState.CREATED, hook_id=str(made.id)), self.tending.with_secret(secret)
        answer, kept = self.tending.repaired(found, secret)
        if answer.differences:
            ours[0].edit("web", config, events=list(EVENTS), active=True)
        for surplus in ours[1:]:
            self.patience.require()
            surplus.delete()
        return answer, kept

    def _failed(self, hook: Hook, answer: HookAnswer, now: datetime) -> tuple[HookAnswer, Kept]:
        """Count what never came through, and where that is the wish have GitHub send it again (3.5, rule 6)."""
        listed = self.patience.each(self.repository.get_hook_deliveries(hook.id))
        failed = _never_taken(listed, now - KEPT)
        asked, kept = self.tending.ask_again(failed, MAX_ASKED, lambda delivery: self._ask_again(hook, delivery))
        return replace(answer, failed=len(failed), asked_again=asked), kept

    def _ask_again(self, hook: Hook, delivery: HookDeliverySummary) -> None:
        self.patience.require()
        # PyGithub has no method for it.
        url = f"{self.repository.url}/hooks/{hook.id}/deliveries/{delivery.id}/attempts"
        self.repository.requester.requestJsonAndCheck("POST", url)


def _never_taken(listed: Iterable[HookDeliverySummary], since: datetime) -> dict[str, HookDeliverySummary]:
    """Return the newest try of each delivery of which none was taken, oldest delivery first, by GUID."""
    taken: set[str] = set()
    failed: dict[str, HookDeliverySummary] = {}
    for number, delivery in enumerate(listed):
        if number >= MAX_LOOKED_AT or delivery.delivered_at is None or delivery.delivered_at < since:
            break
        guid = delivery.guid or ""
        if 200 <= (delivery.status_code or 0) < 300:
            taken.add(guid)
        else:
            failed.setdefault(guid, delivery)
    return {guid: delivery for guid, delivery in reversed(failed.items()) if guid and guid not in taken}


def _differences(hook: Hook, url: str) -> tuple[str, ...]:
    """Return what is not as it should be; the secret is not shown by GitHub, only whether there is one."""
    config = hook.config
    missing = sorted(set(EVENTS) - set(hook.events)) if "*" not in hook.events else []
    found = (
        (config.get("url") != url, f"it leads to another address than {url}"),
        (config.get("content_type") != "json", "it sends forms and no JSON"),
        (str(config.get("insecure_ssl", "0")) != "0", "it does not check our certificate"),
        (not config.get("secret"), "it has no secret"),
        (not hook.active, "it is switched off"),
        (bool(missing), f"it does not tell of {', '.join(missing)}"),
    )
    return tuple(words for differs, words in found if differs)
