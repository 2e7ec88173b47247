"""What was said of commits lately, and a run with what follows from it, for people who look around (R47)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.paging import Page
from server.model.corroboration import Claim
from server.model.page_facts import CommitGroup, RunPage
from server.model.paging import Paging, bind
from server.model.principal import Principal
from server.model.runs import Run
from server.model.verdict_advice import state_word
from server.model.verdict_kinds import VerdictKind
from server.services.corroborating import prove, read_told
from server.services.page_places import describe_place
from server.services.run_access import get_run
from server.services.run_details import describe_run
from server.services.verdict_pages import shown
from server.services.verdict_runs import find_ci_url
from server.store import sources, verdict_lists
from server.store.database import Database
from server.store.times import to_text
from server.store.verdict_lists import ListedVerdict, VerdictFilter

STATE_WORDS = ("passes", "pending", "fails")


class Overview:
    """Use cases of the pages that are not of one verdict."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def list_commits(
        self,
        principal: Principal,
        paging: Paging,
        *,
        project: str | None = None,
        workflow: str | None = None,
        state: str | None = None,
    ) -> Page[CommitGroup]:
        """Return what was said lately, grouped by commit within the page; the latest change first.

        Args:
            principal: who looks.
            paging: counts verdicts, not commits.
            project: a name.
            workflow: a name.
            state: one of `STATE_WORDS`; another word finds nothing.

        Raises:
            RequestInvalidError: the cursor is of another list.
        """
        kinds = frozenset(kind for kind in VerdictKind if state_word(kind) == state) if state else None
        wanted = VerdictFilter(project, workflow, kinds)
        binding = bind("verdicts", principal.organization_id, reach=principal.reach, **asdict(wanted), state=state)
        after = paging.after(binding, ("", ""))
        with self._database.read() as connection:
            found = verdict_lists.list_recent(connection, principal.reach, wanted, after=after, limit=paging.limit + 1)
        page = paging.page(found, binding, lambda item: (to_text(item.verdict.changed_at), item.verdict.id))
        return Page(_grouped(page.items), page.next_cursor)

    def describe_run(self, principal: Principal, run_id: str) -> RunPage:
        """Return a run with what follows from it.

        Raises:
            NotFoundError: there is none, or it belongs to another organization.
            NotAllowedError: it lies outside the token's scope.
        """
        with self._database.read() as connection:
            run = get_run(connection, principal, run_id)
            return _run_page(connection, run, self._now())


def _grouped(found: Sequence[ListedVerdict]) -> tuple[CommitGroup, ...]:
    groups: dict[tuple[str, str], list[ListedVerdict]] = {}
    for item in found:
        groups.setdefault((item.verdict.source_id, item.verdict.sha), []).append(item)
    return tuple(
        CommitGroup(members[0].repository, sha, tuple(shown(item.verdict) for item in members))
        for (_, sha), members in groups.items()
    )


def _run_page(connection: Connection, run: Run, now: datetime) -> RunPage:
    bound = sources.find_of_workflow(connection, run.organization_id, run.workflow_id)
    told = read_told(connection, bound.source, run.commit) if bound and run.commit else None
    said = verdict_lists.list_of_run(connection, run.organization_id, run.workflow_id, run.commit) if run.commit else []
    proven = prove(connection, bound, told, Claim.of(run)) if bound and told else None
    return RunPage(
        detail=describe_run(connection, run, now),
        place=describe_place(bound.source, run.commit, told) if bound and told and run.commit else None,
        ci_url=find_ci_url(run, bound) if bound else None,
        corroboration=proven,
        verdicts=tuple(map(shown, said)),
    )
