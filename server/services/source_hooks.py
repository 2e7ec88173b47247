"""Have our webhooks at the forges looked after: asked for by an administrator, done by the dispatcher (3.5, rule 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from chainloop_ci.api.paging import Page
from chainloop_ci.api.record import from_dict, to_dict
from chainloop_ci.api.source_address import SourceKind
from chainloop_ci.api.source_hooks import HookMode, HooksAsked, SourceHook
from chainloop_ci.errors import NotFoundError
from server.model.audit import AuditAction, audit_of
from server.model.deliveries import Delivery
from server.model.events import Event, EventKind
from server.model.forge_answers import HOOK, HookAnswer, HookQuestion
from server.model.paging import Paging, bind
from server.model.principal import Principal
from server.model.source_hooks import StoredHook
from server.model.sources import StoredSource
from server.model.verdict_content import ForgeRepository
from server.services.delivery_queue import Learn
from server.services.source_secrets import SourceSecrets
from server.store import audit, events, hook_secrets, source_hooks, sources
from server.store.database import Database

FORGES = (SourceKind.GITHUB, SourceKind.GITLAB)
OVERLAP = timedelta(days=1)
BATCH = 100
"""Webhooks that are asked after in one transaction."""


class SourceHooks:
    """Use cases of webhooks at the forges."""

    def __init__(
        self, database: Database, now: Callable[[], datetime], new_id: Callable[[], str], secrets: SourceSecrets
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._secrets = secrets

    def ask(self, principal: Principal, mode: HookMode) -> HooksAsked:
        """Have the webhooks of all sources looked after; a source without a secret gets one before its webhook.

        Raises:
            NotAllowedError: the token does not reach the whole organization.
        """
        principal.require_reach(project_id=None)
        now, asked, left_out = self._now(), [], []
        with self._database.write() as connection:
            for source in source_hooks.list_of_forges(connection, principal.organization_id, [*FORGES]):
                if source.repository_id is None:
                    left_out.append(str(source.address))
                    continue
                if mode is HookMode.SYNC:
                    self._ensure_secret(connection, source)
                self._ask(connection, source, mode, now)
                asked.append(str(source.address))
            if mode is not HookMode.CHECK:
                facts = {"mode": mode.value, "sources": len(asked)}
                audit.add(connection, audit_of(principal, now, AuditAction.SOURCE_HOOKS_ASKED, "", facts))
        return HooksAsked(now, tuple(asked), tuple(left_out))

    def list(self, principal: Principal, paging: Paging) -> Page[SourceHook]:
        """Return the webhooks that were ever asked after, by source.

        Raises:
            NotAllowedError: the token does not reach the whole organization.
        """
        principal.require_reach(project_id=None)
        binding = bind("source-hooks", principal.organization_id)
        after = paging.after(binding, ("", ""))
        with self._database.read() as connection:
            found = source_hooks.list_page(connection, principal.organization_id, after=after, limit=paging.limit + 1)
        page = paging.page(found, binding, lambda item: (item[1].address.key, item[1].id))
        items = (hook.api(str(source.address), self._secrets.url_of(source)) for hook, source in page.items)
        return Page(tuple(items), page.next_cursor)

    def redeliver(self) -> Iterator[int]:
        """Have every forge send again what never came through; yield how many sources were asked after."""
        after = ""
        while True:
            with self._database.write() as connection:
                found = source_hooks.list_hooked(connection, after=after, limit=BATCH)
                for source in found:
                    self._ask(connection, source, HookMode.REDELIVER, self._now())
            if not found:
                return
            after = found[-1].id
            yield len(found)

    def handlers(self) -> Mapping[str, Learn]:
        """Return what writes down the answers, by the part that asked."""
        return {HOOK: self.learn}

    def learn(self, connection: Connection, delivery: Delivery, answer: Mapping[str, object]) -> None:
        """Write down how a webhook was found, or left."""
        told, organization_id = from_dict(HookAnswer, answer), delivery.organization_id
        source = sources.find(connection, organization_id, str(delivery.content["sourceId"]))
        hook = source_hooks.find(connection, organization_id, source.id) if source else None
        if source is None or hook is None:
            return
        source_hooks.save(connection, hook.answered(told, self._now()))
        sources.save_hook(connection, source, told.hook_id)

    def open_secret(self, organization_id: str, source_id: str) -> str:
        """Return the newest secret of a source's webhook, for the forge.

        Raises:
            NotFoundError: it has none.
            SecretUnreadableError: the key that sealed it is not here.
        """
        with self._database.read() as connection:
            source = sources.find(connection, organization_id, source_id)
            watched = hook_secrets.find_watched(connection, source.id, source.address.kind) if source else None
        known = self._secrets.open(watched.source, watched.secrets) if watched else []
        if not known:
            raise NotFoundError(
                f"the source {source_id} has no secret for its webhook",
                hint="make one: `chainloop workflow source secret create`",
            )
        return known[0]

    def _ensure_secret(self, connection: Connection, source: StoredSource) -> None:
        watched = hook_secrets.find_watched(connection, source.id, source.address.kind)
        if watched is not None and watched.secrets.current is None:
            self._secrets.rotate_in(connection, watched, OVERLAP)

    def _ask(self, connection: Connection, source: StoredSource, mode: HookMode, now: datetime) -> None:
        known = source_hooks.find(connection, source.organization_id, source.id)
        hook = known.asked(mode, now) if known else StoredHook(source.id, source.organization_id, now, mode)
        source_hooks.save(connection, hook)
        address = source.address
        question = HookQuestion(
            source_id=source.id,
            repository=ForgeRepository(
                address.kind.value, address.host, source.repository_id or "", address.repository
            ),
            url=self._secrets.url_of(source),
            mode=mode,
            hook_id=source.hook_id,
        )
        event = Event(
            self._new_id(), source.organization_id, EventKind.HOOK_ASKED, now, source.id, facts=to_dict(question)
        )
        events.add(connection, event)
