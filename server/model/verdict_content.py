"""What is told of a verdict: the facts of a `verdict.changed` event, whole and never changed afterwards.

Whoever judges writes them; the integrations of forges make statuses, check runs and notes of them. Nobody looks up
anything else for that, so that what is sent late says what was judged then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chainloop_ci.api.record import from_dict, to_dict
from server.model.verdict_kinds import SURFACES, Surfaces, VerdictKind

MAX_ANNOTATIONS = 200
"""Of one verdict."""


@dataclass(frozen=True, slots=True)
class ForgeRepository:
    """A repository as events name it."""

    kind: str
    """Of the forge, as integrations are named: `github`, `gitlab`."""
    host: str
    """Base address, as `https://github.com`."""
    id: str
    """The forge's own number: what a name leads to may change."""
    name: str
    """`owner/name` or `group/project`, for people."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark on a line of a file of the commit."""

    path: str
    line: int
    """From 1."""
    message: str


@dataclass(frozen=True, slots=True)
class VerdictContent:
    """Everything that a forge is told of one context of one commit."""

    context: str
    """`chainloop/<project>/<workflow>` or the roll-up's; holds no number of a run, so that a check can be required."""
    kind: VerdictKind
    description: str
    """One line of at most 140 code points, fit for the repository's readers."""
    repository: ForgeRepository
    sha: str
    """The commit; of a pull request its head, never the test merge commit (R31)."""
    version: int
    """Grows with each verdict of this context on this commit: an older one is not told after a newer one."""
    branch: str | None = None
    pull_request: int | None = None
    """The open pull request (or merge request) whose head the commit is now; None: of none, or of one no longer."""
    run_id: str | None = None
    """The run that decided."""
    target_url: str | None = None
    """The page with the verdict (R47); it holds no token."""
    summary: str = ""
    """Markdown, fit for the repository's readers."""
    annotations: tuple[Annotation, ...] = ()
    prior_contexts: tuple[str, ...] = ()
    """Names under which verdicts of this workflow were told of this very commit before it was renamed; they get the
    same verdict, so that none is left pending."""
    is_repeat: bool = False
    """Whether it says what was said before, because somebody else overwrote that on the forge (R40)."""

    @property
    def surfaces(self) -> Surfaces:
        """Return the words of each surface."""
        return SURFACES[self.kind]

    @property
    def lane(self) -> str:
        """Return what verdicts replace each other in: `<host>/<repository id>@<sha>:<context>`."""
        return f"{self.repository.host}/{self.repository.id}@{self.sha}:{self.context}"

    def to_facts(self) -> dict[str, Any]:
        """Return the facts of the event, which are also the content of the deliveries."""
        return to_dict(self)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> VerdictContent:
        """Return what `to_facts` wrote.

        Raises:
            ValueError: it is not that.
        """
        return from_dict(cls, facts)
