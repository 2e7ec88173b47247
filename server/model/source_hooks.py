"""Our webhook of a source, as it was asked after and found last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chainloop_ci.api.source_hooks import HookMode, HookState, SourceHook
from server.model.forge_answers import HookAnswer


@dataclass(frozen=True, slots=True)
class StoredHook:
    """A row of `source_hooks`."""

    source_id: str
    organization_id: str
    asked_at: datetime
    mode: HookMode
    answered_at: datetime | None = None
    state: HookState | None = None
    hook_id: str | None = None
    differences: tuple[str, ...] = ()
    failed: int = 0
    asked_again: int = 0

    def asked(self, mode: HookMode, now: datetime) -> StoredHook:
        """Return it asked after anew; what was found stays until there is an answer."""
        return replace(self, asked_at=now, mode=mode, answered_at=None)

    def answered(self, told: HookAnswer, now: datetime) -> StoredHook:
        """Return it with an answer. Whoever has deliveries sent again looks at nothing else."""
        counted = replace(
            self,
            answered_at=now,
            failed=self.failed if self.mode is HookMode.SYNC else told.failed,
            asked_again=told.asked_again,
        )
        if self.mode is HookMode.REDELIVER:
            return counted
        return replace(counted, state=told.state, hook_id=told.hook_id, differences=told.differences)

    def api(self, source: str, url: str) -> SourceHook:
        """Return the wire form; `source` and `url` are the source's."""
        return SourceHook(
            source_id=self.source_id,
            source=source,
            url=url,
            asked_at=self.asked_at,
            mode=self.mode,
            answered_at=self.answered_at,
            state=self.state,
            hook_id=self.hook_id,
            differences=self.differences,
            failed=self.failed,
            asked_again=self.asked_again,
        )
