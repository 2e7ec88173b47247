"""Our webhook of a project: created, repaired, given the newest secret, its failed events asked for again.

GitLab never shows a secret, only whether there is one; it keeps events for a week, and stops sending for a while to an
address that failed four times in a row. Sources: GitLab Docs, "Project webhooks API" and "Webhooks", «Auto-disabled
webhooks», «Signing tokens».
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from chainloop_ci.api.record import from_dict, to_dict
from server.integrations.answers import require_repository
from server.integrations.gitlab.access import Access, ask
from server.integrations.hook_tending import Kept, Tending, secret_of
from server.integrations.types import Message, Target, Tools
from server.model.deliveries import Outcome, OutcomeKind
from server.model.forge_answers import HookAnswer, HookMode, HookQuestion, HookState

if TYPE_CHECKING:
    from gitlab.v4.objects import Project, ProjectHook

NEED = "the scope `api` and the role Maintainer"
EVENTS = ("job_events", "merge_requests_events", "pipeline_events", "push_events", "tag_push_events")
NAME = "Chainloop"
MAX_LOOKED_AT = 200
"""Events of one look; a page has twenty, with all that was sent."""
MAX_ASKED = 5
"""Events that are asked for again in one try: GitLab takes no more in a minute."""
_SIGNING_PREFIX = "whsec_"
_SIGNING_BYTES = 32
"""Of the key in a signing token; GitLab takes no other length."""


def tend_hook(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try."""
    question = from_dict(HookQuestion, message.content)
    tending = Tending(question, Kept.read(message.memory))

    def work(access: Access) -> Outcome:
        number = require_repository(target, question.repository.host, question.repository.id)
        hooks = _Hooks(access, access.project(number), tending)
        answer, after = hooks.tend(secret_of(target, question, tools))
        return Outcome(OutcomeKind.DELIVERED, "200", answer=to_dict(answer), remember=to_dict(after))

    return ask(target, tools, NEED, message.attempt, work)


@dataclass(frozen=True, slots=True)
class _Hooks:
    access: Access
    project: Project
    tending: Tending

    def tend(self, secret: Callable[[], str]) -> tuple[HookAnswer, Kept]:
        ours = self._ours()
        found = self._look(ours)
        if self.tending.question.mode is HookMode.SYNC:
            return self._sync(ours, found, secret())
        return self._failed(ours[0], found) if ours else (found, self.tending.kept)

    def _ours(self) -> list[ProjectHook]:
        """Return our webhooks, the one that we know of first: by its number, or by the address, which is only ours."""
        known = self.tending.question.hook_id
        found = [
            hook
            for hook in self.project.hooks.list(iterator=True)
            if str(hook.id) == known or hook.url == self.tending.question.url
        ]
        return sorted(found, key=lambda hook: str(hook.id) != known)

    def _look(self, ours: list[ProjectHook]) -> HookAnswer:
        differences = _differences(ours[0].attributes, self.tending.question.url) if ours else ()
        return self.tending.found([str(hook.id) for hook in ours], differences)

    def _sync(self, ours: list[ProjectHook], found: HookAnswer, secret: str) -> tuple[HookAnswer, Kept]:
        wish = self._wish(secret)
        if not ours:
            made = self.project.hooks.create({**wish, "name": NAME})
            self._prefer_signature(made.attributes)
            return replace(found, state=HookState.CREATED, hook_id=str(made.id)), self.tending.with_secret(secret)
        answer, kept = self.tending.repaired(found, secret)
        if answer.differences:
            self._prefer_signature(self.project.hooks.update(ours[0].id, wish))
        for surplus in ours[1:]:
            self.project.hooks.delete(surplus.id)
        return answer, kept

    def _wish(self, secret: str) -> dict[str, Any]:
        """Return everything that matters; an older GitLab ignores what it does not know."""
        wish = {"url": self.tending.question.url, "token": secret, "enable_ssl_verification": True}
        wish |= {"push_events_branch_filter": "", "custom_webhook_template": "", **dict.fromkeys(EVENTS, True)}
        return {**wish, "signing_token": secret} if _is_signing_token(secret) else wish

    def _prefer_signature(self, saved: Mapping[str, Any]) -> None:
        """Take away the token that is sent in plain where the GitLab signs: it is the same secret."""
        if saved.get("signing_token_present") and saved.get("token_present"):
            self.project.hooks.update(saved["id"], {"url": self.tending.question.url, "token": ""})

    def _failed(self, hook: ProjectHook, answer: HookAnswer) -> tuple[HookAnswer, Kept]:
        """Count what never came through, and where that is the wish have GitLab send it again (3.5, rule 6)."""
        path = f"/projects/{self.project.get_id()}/hooks/{hook.id}/events"
        failed = self._never_taken(path)
        client = self.access.client
        asked, kept = self.tending.ask_again(
            failed, MAX_ASKED, lambda number: client.http_post(f"{path}/{number}/resend")
        )
        return replace(answer, failed=len(failed), asked_again=asked), kept

    def _never_taken(self, path: str) -> dict[str, int]:
        from gitlab import GitlabError

        try:
            # python-gitlab has no method for it.
            listed = self.access.client.http_list(path, iterator=True, per_page=20)
            return never_taken(dict(event) for event in islice(listed, MAX_LOOKED_AT))
        except GitlabError as error:
            if error.response_code == 404:
                # Before GitLab 17.3 nobody can ask.
                return {}
            raise


def never_taken(listed: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the newest try of each event of which none was taken, oldest event first, by idempotency key."""
    taken: set[str] = set()
    failed: dict[str, int] = {}
    for event in listed:
        headers = {name.lower(): value for name, value in (event.get("request_headers") or {}).items()}
        key = str(headers.get("idempotency-key") or headers.get("x-gitlab-event-uuid") or event["id"])
        if str(event.get("response_status", "")).startswith("2"):
            taken.add(key)
        else:
            failed.setdefault(key, int(event["id"]))
    return {key: number for key, number in reversed(failed.items()) if key not in taken}


def _differences(hook: Mapping[str, Any], url: str) -> tuple[str, ...]:
    """Return what is not as it should be; an older GitLab does not say whether there is a secret."""
    missing = [name for name in EVENTS if not hook.get(name)]
    has_secret = hook.get("token_present") or hook.get("signing_token_present")
    found = (
        (hook["url"] != url, f"it leads to another address than {url}"),
        (not hook.get("enable_ssl_verification"), "it does not check our certificate"),
        ("token_present" in hook and not has_secret, "it has no secret"),
        (bool(hook.get("push_events_branch_filter")), "it tells of pushes to some branches only"),
        (bool(hook.get("custom_webhook_template")), "it sends a text of somebody's own"),
        (bool(missing), f"it does not tell of {', '.join(missing)}"),
        (
            str(hook.get("alert_status", "executable")) != "executable",
            "GitLab stopped sending to it, since this server failed too often; a test on its page starts it again",
        ),
    )
    return tuple(words for differs, words in found if differs)


def _is_signing_token(secret: str) -> bool:
    if not secret.startswith(_SIGNING_PREFIX):
        return False
    try:
        return len(base64.b64decode(secret.removeprefix(_SIGNING_PREFIX), validate=True)) == _SIGNING_BYTES
    except binascii.Error:
        return False
