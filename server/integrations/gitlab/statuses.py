"""Commit statuses: jobs of a pipeline, with a state machine that refuses some steps.

Sources: GitLab Docs, "Commits API", «Set commit status»; "External commit statuses"; `create_commit_status_service.rb`
of GitLab.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from server.integrations.answers import RefusedError, refuse
from server.integrations.gitlab.access import Access
from server.integrations.gitlab.outcomes import words
from server.integrations.gitlab.pipelines import Place, is_of
from server.model.deliveries import Outcome, OutcomeKind
from server.model.verdict_content import VerdictContent
from server.model.verdict_text import clip

if TYPE_CHECKING:
    from gitlab import GitlabError

NEED = "the scope `api` and the role Developer, or a role that may merge into a protected branch"
MAX_LENGTH = 255
"""Of name, ref and link."""


class NoPlaceError(Exception):
    """The pipeline takes no status; `code` and `detail` say why."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class StatusWriter:
    """Writes the statuses of one verdict."""

    access: Access
    content: VerdictContent
    attempt: int

    def put(self, place: Place, prior: str | None = None) -> None:
        """Set the status in a pipeline, under the context or an older name of it.

        Raises:
            NoPlaceError: the pipeline takes none.
            GitlabError, EgressError, RefusedError: it was not taken, or that is not known.
        """
        self._create(place.project_id, self._fields(prior) | {"pipeline_id": place.pipeline_id}, place)

    def put_alone(self, project_id: int) -> Place:
        """Set the status of a commit that has no pipeline, which makes one; return it."""
        fields = self._fields(None)
        # Without it GitLab takes the first branch that has the commit.
        if self.content.branch and len(self.content.branch) <= MAX_LENGTH:
            fields["ref"] = self.content.branch
        return Place(project_id, int(self._create(project_id, fields, None).pipeline_id))

    def _create(self, project_id: int, fields: dict[str, Any], place: Place | None) -> Any:
        from gitlab import GitlabError

        commit = self.access.project(project_id).commits.get(self.content.sha, lazy=True)
        # The answer to a try before may have been lost: a final state sent again would be a second job.
        if place is not None and self.attempt > 1 and self._shows(commit, place, fields, tuple(fields)):
            return None
        try:
            return commit.statuses.create(fields)
        except GitlabError as error:
            said = words(error)
            if error.response_code == 400 and place is not None and "Cannot transition status" in said:
                if self._shows(commit, place, fields, ("name", "state")):
                    return None
                raise RefusedError(Outcome(OutcomeKind.RETRY, "400", said)) from error
            raise _translated(error, self.content.context) from error

    def _fields(self, prior: str | None) -> dict[str, Any]:
        content = self.content
        said = f"now {content.context}: {content.description}" if prior else content.description
        fields = {
            "state": content.surfaces.gitlab.value,
            "name": prior or content.context,
            "description": clip(said),
        }
        if content.target_url and len(content.target_url) <= MAX_LENGTH:
            fields["target_url"] = content.target_url
        return fields

    def _shows(self, commit: Any, place: Place, fields: dict[str, Any], names: tuple[str, ...]) -> bool:
        """Tell whether the pipeline shows a status already, in the fields that are named."""
        for found in commit.statuses.list(iterator=True, pipeline_id=place.pipeline_id, name=fields["name"]):
            shown = {**found.attributes, "state": found.status}
            if is_of(shown, place) and all(shown.get(name) == fields[name] for name in names if name != "pipeline_id"):
                return True
        return False


def _translated(error: GitlabError, context: str) -> Exception:
    said = words(error)
    if error.response_code == 400 and "name: has already been taken" in said:
        return refuse("name-taken", f"a CI job of this pipeline is named {context}; give the job another name")
    if error.response_code == 422 and "exceeded the limit" in said:
        return NoPlaceError("pipeline-full", f"the pipeline takes no more statuses: {said}")
    if error.response_code == 404 and "Pipeline for" in said:
        return NoPlaceError("pipeline-gone", f"the pipeline takes no statuses any more: {said}")
    return error
