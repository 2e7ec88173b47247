from __future__ import annotations

import json

import pytest

from chainloop_ci.api.record import from_dict, to_dict
from server.model.forge_answers import CiRunAnswer, FileAnswer, FileState, HeadAnswer, JobAnswer
from server.model.forge_facts import CiStatus
from server.model.verdict_content import Annotation, ForgeRepository, VerdictContent
from server.model.verdict_kinds import SURFACES, VerdictKind
from tests.unit.server.model.test_runs import START

REPOSITORY = ForgeRepository("github", "https://github.com", "1001", "octo-org/app")
CONTENT = VerdictContent(
    context="chainloop/app/build",
    kind=VerdictKind.NOT_MET,
    description="missing: sbom",
    repository=REPOSITORY,
    sha="a" * 40,
    version=3,
    branch="feature",
    pull_request=5,
    run_id="r",
    target_url="https://chainloop.test/runs/x",
    summary="# Missing",
    annotations=(Annotation(".github/workflows/build.yml", 1, "add an SBOM"),),
    prior_contexts=("chainloop/app/old",),
)


def test_the_facts_of_a_verdict_are_read_as_they_were_written() -> None:
    facts = json.loads(json.dumps(CONTENT.to_facts()))

    assert VerdictContent.from_facts(facts) == CONTENT
    assert (facts["kind"], facts["pullRequest"], facts["priorContexts"]) == ("not-met", 5, ["chainloop/app/old"])


def test_a_lane_is_one_context_of_one_commit() -> None:
    assert CONTENT.lane == f"https://github.com/1001@{'a' * 40}:chainloop/app/build"


def test_a_verdict_knows_its_surfaces() -> None:
    assert CONTENT.surfaces == SURFACES[VerdictKind.NOT_MET]


@pytest.mark.parametrize("missing", ["context", "kind", "repository", "sha", "version"])
def test_facts_without_what_a_verdict_needs_are_refused(missing: str) -> None:
    facts = {name: value for name, value in CONTENT.to_facts().items() if name != missing}

    with pytest.raises(ValueError, match=missing):
        VerdictContent.from_facts(facts)


@pytest.mark.parametrize(
    "answer",
    [
        CiRunAnswer("9", unknown=True),
        CiRunAnswer(
            "9", attempt=2, started_at=START, pull_requests=(5,), jobs=(JobAnswer("1", "build", CiStatus.ENDED),)
        ),
        HeadAnswer(changed_paths=(), ci_files={"a.yml": FileAnswer("on: push", None, FileState.DISABLED)}),
        HeadAnswer(changed_paths=None, is_fork=True),
    ],
)
def test_answers_are_read_as_they_were_written(answer: CiRunAnswer | HeadAnswer) -> None:
    assert from_dict(type(answer), json.loads(json.dumps(to_dict(answer)))) == answer
