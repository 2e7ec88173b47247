"""Tell a verdict on the surface that was chosen, never out of order, and never so that it opens a gate (R40, R41)."""

from __future__ import annotations

from dataclasses import replace

from server.integrations.answers import require_repository
from server.integrations.gitlab import notes, status_checks, statuses
from server.integrations.gitlab.access import Access, ask
from server.integrations.gitlab.memory import Memory, Posted, digest_of
from server.integrations.gitlab.outcomes import MAX_SEARCHES
from server.integrations.gitlab.pipelines import Pipelines, Place, find_pipelines
from server.integrations.gitlab.status_checks import SupersededError, answer_status_check, find_status_check
from server.integrations.gitlab.statuses import NoPlaceError, StatusWriter
from server.integrations.gitlab.words import NoteMode, Surface
from server.integrations.types import Message, Target, Tools
from server.integrations.verdict_board import Board
from server.model.deliveries import Outcome, OutcomeKind
from server.model.verdict_content import VerdictContent
from server.model.verdict_kinds import GitlabState, VerdictKind

MAX_WAITS = 3
"""Tries of a failing verdict on a commit without a pipeline, some seconds: one may be about to be made."""

_NEEDS = {Surface.STATUS: statuses.NEED, Surface.EXTERNAL_CHECK: status_checks.NEED}
_FAILING = (GitlabState.FAILED, GitlabState.CANCELED)
_TOLD = Outcome(OutcomeKind.DELIVERED, "201")


def tell_verdict(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try."""
    teller = Teller(message, tools)
    if (nothing := teller.nothing_new()) is not None:
        return nothing
    before = teller.memory
    outcome = ask(target, tools, _NEEDS[teller.surface], message.attempt, teller.tell)
    # What was done before something failed is not done again.
    return outcome if teller.memory == before else replace(outcome, remember=teller.memory.write())


def tell_note(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try of the note that lists all verdicts of a merge request."""
    content = VerdictContent.from_facts(message.content)
    board = Board.read(message.memory).take(content, content.surfaces.gitlab.value)
    if board is None or content.pull_request is None:
        return Outcome(OutcomeKind.SKIPPED, "nothing-new", "the note says this or something newer")

    def work(access: Access) -> Outcome:
        project = access.project(require_repository(target, content.repository.host, content.repository.id))
        request = project.mergerequests.get(content.pull_request or 0, lazy=True)
        note_id = notes.put_note(access, request, notes.MARK, board.comment_id, notes.render(board))
        return Outcome(OutcomeKind.DELIVERED, "200", remember=replace(board, comment_id=note_id).write())

    return ask(target, tools, notes.NEED, message.attempt, work)


class Teller:
    """One try of one verdict. `memory` grows with each thing that was done."""

    def __init__(self, message: Message, tools: Tools) -> None:
        self.content = VerdictContent.from_facts(message.content)
        self.memory = Memory.read(message.memory)
        self.surface = Surface(message.settings.get("surface") or Surface.STATUS)
        self._note_mode = NoteMode(message.settings.get("note") or NoteMode.LAST_RESORT)
        self._digest = digest_of(self.content, self.surface, self._note_mode.value)
        self._attempt = message.attempt
        self._public_url = tools.public_url

    def nothing_new(self) -> Outcome | None:
        """Return the outcome when nothing need be asked for it."""
        if self.content.version < self.memory.version:
            return Outcome(OutcomeKind.SKIPPED, "older", "a newer verdict was told")
        # An operator who replays what was delivered wants it sent again.
        if self._digest == self.memory.digest and self._attempt == 1 and not self.content.is_repeat:
            return Outcome(OutcomeKind.SKIPPED, "unchanged", "GitLab shows this already")
        return None

    def tell(self, access: Access) -> Outcome:
        """Tell it where it belongs, and where this commit showed it before.

        Raises:
            GitlabError, EgressError, RefusedError: it was not taken, or that is not known.
        """
        place = self.content.repository
        project_id = require_repository(access.target, place.host, place.id)
        if self.surface is Surface.STATUS:
            outcome = self._tell_status(access, project_id)
            if self.memory.status_check_id is not None:
                self._answer(access, project_id, self.memory.status_check_id)
        else:
            # First, since a check that nobody made must not leave a status running.
            if self.memory.pipelines:
                self._tell_status(access, project_id)
            outcome = self._tell_check(access, project_id)
        if outcome.kind is OutcomeKind.DELIVERED:
            self.memory = replace(self.memory, version=self.content.version, digest=self._digest)
        return outcome

    def _tell_status(self, access: Access, project_id: int) -> Outcome:
        found = find_pipelines(access, self.content, project_id, self.memory.working)
        writer = StatusWriter(access, self.content, self._attempt)
        if found.chosen is None:
            return self._tell_without_pipeline(access, writer, found, project_id)
        self.memory = self.memory.with_work_in(found.chosen.pipeline_id)
        try:
            self._post(writer, found.chosen)
            for prior in self.content.prior_contexts:
                writer.put(found.chosen, prior)
        except NoPlaceError as error:
            return self._tell_by_note(access, project_id, error.code, error.detail, is_for_good=True)
        self._finish_others(writer, found.chosen)
        if self.memory.note_id is not None:
            self._tell_by_note(access, project_id, "note", "it was written before there was a pipeline")
        return _TOLD

    def _post(self, writer: StatusWriter, place: Place) -> None:
        state = self.content.surfaces.gitlab
        # GitLab refuses `running` on what runs, also when its description is another one.
        runs = state is GitlabState.RUNNING and self.memory.state_in(place.pipeline_id) == state
        if not runs or self.content.is_repeat:
            writer.put(place)
            self._remember(place)

    def _remember(self, place: Place) -> None:
        posted = Posted(place.project_id, place.pipeline_id, self.content.surfaces.gitlab.value)
        self.memory = self.memory.with_posted(posted)

    def _finish_others(self, writer: StatusWriter, chosen: Place) -> None:
        """Say the last word also where this commit showed something else: one verdict counts, and nobody waits."""
        state = self.content.surfaces.gitlab
        if state is GitlabState.RUNNING:
            return
        for posted in self.memory.pipelines:
            # One that is newer, and ours alone perhaps, would speak for the merge request.
            is_safe = posted.pipeline_id <= chosen.pipeline_id or posted.pipeline_id in self.memory.working
            if posted.state == state.value or not (is_safe or state in _FAILING):
                continue
            place = Place(posted.project_id, posted.pipeline_id)
            try:
                writer.put(place)
            except NoPlaceError:
                continue
            self._remember(place)

    def _tell_without_pipeline(
        self, access: Access, writer: StatusWriter, found: Pipelines, project_id: int
    ) -> Outcome:
        if found.of_merged_result:
            why = "only the merged result has pipelines, and a status belongs to the head"
            return self._tell_by_note(access, project_id, "merged-results", why, is_for_good=True)
        is_failing = self.content.surfaces.gitlab in _FAILING
        if self._attempt < (MAX_WAITS if is_failing else MAX_SEARCHES):
            return Outcome(OutcomeKind.RETRY, "no-pipeline", "the commit has no pipeline with work in it yet")
        if is_failing and self._is_own_branch(access, project_id):
            place = found.idle[0] if found.idle else writer.put_alone(project_id)
            if found.idle:
                writer.put(place)
            self._remember(place)
            return _TOLD
        why = "the commit has no pipeline with work in it, and a status alone could open a gate"
        return self._tell_by_note(access, project_id, "no-pipeline", why)

    def _is_own_branch(self, access: Access, project_id: int) -> bool:
        """Tell whether the commit lies in a branch of the project, and not of a fork."""
        if self.content.pull_request is None:
            return True
        request = access.project(project_id).mergerequests.get(self.content.pull_request)
        return bool(request.source_project_id == project_id)

    def _tell_by_note(
        self, access: Access, project_id: int, code: str, why: str, *, is_for_good: bool = False
    ) -> Outcome:
        """Write the note that is the last resort, when it is one that people need."""
        content, is_final = self.content, self.content.surfaces.gitlab is not GitlabState.RUNNING
        is_alarm = content.surfaces.gitlab in _FAILING or content.kind is VerdictKind.UNTRUSTED_HEAD
        is_needed = is_alarm or self.memory.is_shown or (is_final and is_for_good)
        if content.pull_request is None or self._note_mode is not NoteMode.LAST_RESORT or not is_needed:
            return Outcome(OutcomeKind.SKIPPED, code, why)
        request = access.project(project_id).mergerequests.get(content.pull_request)
        if request.sha != content.sha:
            return Outcome(OutcomeKind.SKIPPED, "head-moved", "the merge request has another head by now")
        body, mark = notes.render_last_resort(content, why), notes.mark_of(content.context)
        note_id = notes.put_note(access, request, mark, self.memory.note_id, body)
        self.memory = replace(self.memory, note_id=note_id)
        return Outcome(OutcomeKind.DELIVERED, "note", why)

    def _tell_check(self, access: Access, project_id: int) -> Outcome:
        if self.content.pull_request is None:
            return Outcome(OutcomeKind.SKIPPED, "no-merge-request", "external status checks are a merge request's")
        check_id = find_status_check(access, self.content, project_id, self._public_url)
        if check_id is None:
            return Outcome(OutcomeKind.SKIPPED, "no-own-check", "the roll-up answers the external status check")
        return self._answer(access, project_id, check_id)

    def _answer(self, access: Access, project_id: int, check_id: int) -> Outcome:
        try:
            answer_status_check(access, self.content, project_id, check_id)
        except SupersededError:
            return Outcome(OutcomeKind.SKIPPED, "superseded", "the merge request has another head by now")
        self.memory = replace(self.memory, status_check_id=check_id)
        return _TOLD
