"""Whether a workflow has to attest a commit that a forge told of, from all that is known of its heads (R34, R35)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from chainloop_ci.api.source_address import SourceKind
from server.model.applicability import HeadTrust, SourceFilter, find_applicability, is_expected
from server.model.ci_files import ABSENT, Change, CiFile
from server.model.forge_facts import CiFileTexts, Head
from server.model.github_workflows import parse_github_workflow
from server.model.gitlab_pipelines import parse_gitlab_pipeline
from server.model.sources import ExpectedRuns, StoredWorkflowSource
from server.model.verdict_facts import Applicability, ApplicabilityKind

_PARSERS: Mapping[SourceKind, Callable[[bytes, bool], CiFile]] = MappingProxyType(
    {
        SourceKind.GITHUB: lambda raw, is_enabled: parse_github_workflow(raw, is_enabled=is_enabled),
        SourceKind.GITLAB: lambda raw, is_enabled: parse_gitlab_pipeline(raw),
    }
)
_MERGE_GROUP = "merge_group"
_UNKNOWN = CiFile()
# A commit may be the head of several branches and pull requests: what keeps one of them from being attested decides,
# then what asks for an attestation.
_ORDER = (
    ApplicabilityKind.MISSING,
    ApplicabilityKind.UNTRUSTED_HEAD,
    ApplicabilityKind.APPLICABLE,
    ApplicabilityKind.NOT_APPLICABLE,
    ApplicabilityKind.NOT_YET,
)


def source_filter(expected: ExpectedRuns) -> SourceFilter:
    """Return the registered filter as the judgement takes it."""
    return SourceFilter(
        branches=(expected.branch,) if expected.branch else (),
        events=(expected.event,) if expected.event else (),
        paths=expected.paths,
    )


def change_of(head: Head, default_branch: str | None) -> Change:
    """Return what the forge says of a head."""
    return Change(
        event=head.event,
        branch=head.branch,
        base_branch=head.base_branch,
        default_branch=default_branch,
        changed_paths=head.changed_paths,
        is_branch_new=head.is_branch_new,
    )


def expected_heads(bound: StoredWorkflowSource, heads: Sequence[Head]) -> list[Head]:
    """Return the heads for which the workflow is in the set of roll-up and gate (R33)."""
    registered, default = source_filter(bound.expected), bound.source.default_branch
    return [head for head in heads if is_expected(registered, change_of(head, default))]


def judge_heads(bound: StoredWorkflowSource, heads: Sequence[Head]) -> Applicability:
    """Return whether the workflow has to attest their commit; `heads` are those of one commit, at least one."""
    found = [_judge(bound, head) for head in heads]
    return min(found, key=lambda one: _ORDER.index(one.kind))


def _judge(bound: StoredWorkflowSource, head: Head) -> Applicability:
    target, proposed = _files(bound, head)
    registered, change = source_filter(bound.expected), change_of(head, bound.source.default_branch)
    found = find_applicability(registered, change, target, proposed, _trust(bound, head))
    if found.kind is ApplicabilityKind.NOT_APPLICABLE and not _may_excuse(head, bound.source.default_branch):
        return replace(found, kind=ApplicabilityKind.NOT_YET)
    return found


def _may_excuse(head: Head, default_branch: str | None) -> bool:
    """Tell whether a success that nobody attested may be said of a head.

    Whoever may push to an unprotected branch writes both sides of a change of it, and chooses its name. A success on
    such a commit would pass the required check of the branch that it is then pushed to, or proposed for (R34).
    """
    # A merge queue is of a protected branch.
    target = head.base_branch or head.branch
    return head.event == _MERGE_GROUP or target == default_branch or head.is_protected is True


def _trust(bound: StoredWorkflowSource, head: Head) -> HeadTrust:
    own = head.is_protected if head.base_branch is None else head.is_source_protected
    return HeadTrust(
        is_fork=head.is_fork,
        is_bot_without_secrets=head.is_bot,
        lacks_protected_token=bound.source.token_is_protected and own is False,
    )


def _files(bound: StoredWorkflowSource, head: Head) -> tuple[CiFile, CiFile | None]:
    """Return the CI file on target and head; what the forge was not asked yet is taken for a file that may run."""
    known = None if head.ci_files is None else head.ci_files.get(bound.expected.ci_file)
    parse = _PARSERS.get(bound.source.address.kind)
    if known is None or parse is None:
        return _UNKNOWN, None
    return _file(parse, known.base, known), _file(parse, known.head, known)


def _file(parse: Callable[[bytes, bool], CiFile], text: str | None, known: CiFileTexts) -> CiFile:
    return ABSENT if text is None else _parse(parse, text, known.is_enabled)


@lru_cache(maxsize=32)
def _parse(parse: Callable[[bytes, bool], CiFile], text: str, is_enabled: bool) -> CiFile:
    """Read a file once: a commit is judged with every news of it, and a large file takes a second."""
    return parse(text.encode(), is_enabled)
