"""Gates: whether a commit, or content of a digest, may pass now (R33, R36). Reads alone: nothing said before counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import Connection

from chainloop_ci.api import gates as wire
from chainloop_ci.api.source_address import parse_source
from chainloop_ci.digests import Digest, hex_of
from chainloop_ci.errors import Finding, NotFoundError, RequestInvalidError, UsageError
from server.model.gates import GateEvidence, GateReason, GateRun, GateVerdict, gate
from server.model.principal import Principal
from server.model.runs import Run
from server.model.sources import StoredSource, StoredWorkflowSource
from server.model.verdict import Verdict, judge
from server.model.workflows import StoredWorkflow
from server.services.commit_facts import read_context, settings_of
from server.services.corroborating import Told, read_told
from server.services.run_details import read_stored_statement
from server.services.workflow_access import get_reachable
from server.store import attestations, commit_runs, forge_facts, sources, workflows
from server.store.commit_runs import Signer
from server.store.database import Database

MAX_RUNS = 200
"""The newest runs of one workflow with a digest that a gate looks at."""


class Gates:
    """Use cases of gates."""

    def __init__(
        self, database: Database, now: Callable[[], datetime], answered: Callable[[bool], object] = lambda _: None
    ) -> None:
        """Take also what counts the answers."""
        self._database = database
        self._now = now
        self._answered = answered

    def ask(self, principal: Principal, request: wire.GateRequest) -> wire.GateAnswer:
        """Return whether what is asked about may pass; what another organization has is «not registered».

        Raises:
            RequestInvalidError: neither or both of commit and digest, a digest without workflows (R36: a gate names
                them, else whoever may attest anything opens it), or a commit that several sources know.
            NotAllowedError: a workflow that is required lies outside the token's scope.
            NotFoundError: there is no such source.
        """
        require_form(request)
        with self._database.read() as connection:
            verdict = _answer(connection, principal, request, self._now())
        self._answered(verdict.approved)
        reasons = tuple(map(_api, verdict.reasons))
        return wire.GateAnswer(verdict.approved, reasons, commit=request.commit, digest=request.digest)


def require_form(request: wire.GateRequest) -> None:
    """Check that a question has what it needs, and nothing beside that.

    Raises:
        RequestInvalidError: with everything that is wrong.
    """
    findings = []
    if (request.commit is None) == (request.digest is None):
        findings.append(_finding("commit", "expected either commit or digest, and not both"))
    elif request.digest is not None and not request.workflows:
        findings.append(_finding("workflows", "a gate for a digest names the workflows that have to attest it"))
    if request.source is not None and (request.workflows or request.digest is not None):
        findings.append(_finding("source", "only of a commit without workflows: a workflow has its own source"))
    if findings:
        raise RequestInvalidError("; ".join(map(str, findings)), findings=findings)


def judge_named(
    connection: Connection, organization_id: str, names: Sequence[str], sha: str, now: datetime, *, names_allowed: bool
) -> GateVerdict:
    """Return whether a commit may pass by the workflows that a gate names."""
    evidence: dict[str, GateEvidence] = {}
    for named in dict.fromkeys(names):
        workflow = _find(connection, organization_id, named)
        if workflow is not None:
            verdicts = _verdicts_of(connection, workflow, now, names_allowed=names_allowed)
            evidence[named] = GateEvidence(verdicts.get(sha)) if verdicts else GateEvidence(has_source=False)
    return gate(tuple(names), evidence)


def judge_all(
    connection: Connection,
    source: StoredSource | None,
    sha: str,
    now: datetime,
    *,
    names_allowed: bool,
    require: Callable[[str], object] = lambda _: None,
) -> GateVerdict:
    """Return whether a commit may pass by the set of the roll-up (R33).

    `require` is asked for each workflow of the set, by its id, before anything is said of it.
    """
    told = read_told(connection, source, sha) if source else None
    if source is None or told is None or not told.heads:
        message = f"no forge told of commit {sha}, so that nobody knows which workflows have to attest it"
        return GateVerdict(False, (GateReason("", False, "commit-unknown", message),))
    evidence: dict[str, GateEvidence] = {}
    for bound, project, name in sources.list_bindings(connection, source):
        verdicts = _Verdicts(connection, bound, f"{project}/{name}", now, names_allowed, {sha: told})
        found = verdicts.get(sha)
        if found is not None:
            require(bound.workflow_id)
            evidence[f"{project}/{name}"] = GateEvidence(found)
    return gate(tuple(sorted(evidence)), evidence)


def _answer(connection: Connection, principal: Principal, request: wire.GateRequest, now: datetime) -> GateVerdict:
    if request.commit is not None and not request.workflows:
        source = _find_source(connection, principal, request.commit, request.source)
        return judge_all(
            connection,
            source,
            request.commit,
            now,
            names_allowed=True,
            require=lambda workflow_id: get_reachable(connection, principal, workflow_id),
        )
    for named in request.workflows:
        workflow = _find(connection, principal.organization_id, named)
        if workflow is not None:
            principal.require_reach(project_id=workflow.project_id, workflow_id=workflow.id)
    owner = principal.organization_id
    if request.commit is not None:
        return judge_named(connection, owner, request.workflows, request.commit, now, names_allowed=True)
    return _judge_digest(connection, owner, request.workflows, request.digest or Digest(""), now)


def _judge_digest(
    connection: Connection, organization_id: str, names: Sequence[str], digest: Digest, now: datetime
) -> GateVerdict:
    evidence: dict[str, GateEvidence] = {}
    for named in dict.fromkeys(names):
        workflow = _find(connection, organization_id, named)
        if workflow is not None:
            verdicts = _verdicts_of(connection, workflow, now, names_allowed=True)
            runs = _read_runs(connection, workflow, verdicts, digest) if verdicts else ()
            evidence[named] = GateEvidence(runs=tuple(runs), has_source=verdicts is not None)
    return gate(tuple(names), evidence, digest=digest)


def _find(connection: Connection, organization_id: str, named: str) -> StoredWorkflow | None:
    project, _, name = named.partition("/")
    return workflows.find_by_name(connection, organization_id, project, name)


def _find_source(connection: Connection, principal: Principal, sha: str, address: str | None) -> StoredSource | None:
    if address is not None:
        return _named_source(connection, principal, address)
    known = forge_facts.list_sources_of(connection, principal.organization_id, sha)
    if len(known) > 1:
        found = (sources.find(connection, principal.organization_id, each) for each in known)
        names = ", ".join(str(each.address) for each in found if each)
        finding = _finding("source", f"several sources know the commit, say which one is meant: {names}")
        raise RequestInvalidError(str(finding), findings=[finding])
    return sources.find(connection, principal.organization_id, known[0]) if known else None


def _named_source(connection: Connection, principal: Principal, address: str) -> StoredSource:
    try:
        wanted = parse_source(address)
    except UsageError as error:
        raise RequestInvalidError(
            error.message, hint=error.hint, findings=[_finding("source", error.message)]
        ) from error
    source = sources.find_by_address(connection, principal.organization_id, wanted)
    if source is None:
        raise NotFoundError(f"there is no source {wanted}", hint="`chainloop workflow source list` names them")
    return source


class _Verdicts:
    """What one workflow says of several commits at this moment, each judged once."""

    def __init__(
        self,
        connection: Connection,
        bound: StoredWorkflowSource,
        name: str,
        now: datetime,
        names_allowed: bool,
        told: Mapping[str, Told] = MappingProxyType({}),
    ) -> None:
        """`told`: what the forge told of commits, where that was read already."""
        self._connection = connection
        self._bound = bound
        self._name = name
        self._now = now
        self._settings = replace(settings_of(bound.source), names_allowed=names_allowed)
        self._told = told
        self._found: dict[str, Verdict | None] = {}

    def get(self, sha: str) -> Verdict | None:
        """Return the verdict, or None when the commit is none of the workflow's business."""
        if sha not in self._found:
            told = self._told.get(sha) or read_told(self._connection, self._bound.source, sha)
            facts = read_context(self._connection, self._bound, self._name, sha, told, self._settings, self._now)
            self._found[sha] = judge(facts, self._now) if facts else None
        return self._found[sha]


def _verdicts_of(
    connection: Connection, workflow: StoredWorkflow, now: datetime, *, names_allowed: bool
) -> _Verdicts | None:
    """Return what judges for a workflow; None: it has no source."""
    bound = sources.find_of_workflow(connection, workflow.organization_id, workflow.id)
    name = f"{workflow.project}/{workflow.name}"
    return _Verdicts(connection, bound, name, now, names_allowed) if bound else None


def _read_runs(
    connection: Connection, workflow: StoredWorkflow, verdicts: _Verdicts, digest: Digest
) -> Iterator[GateRun]:
    """Return the runs that name the digest, down to the newest that counts and has it as its output."""
    owner = workflow.organization_id
    found = commit_runs.list_with_digest(connection, owner, workflow.id, digest, limit=MAX_RUNS)
    signers = commit_runs.list_signers(connection, owner, [run.id for run in found]) if found else {}
    for run in found:
        # The commit that verdicts count the run for.
        sha = run.ci.head_sha or run.attested_commit
        is_output = _is_output(connection, run, digest)
        verdict = verdicts.get(sha) if sha and is_output else None
        found_run = GateRun(run.id, run.sequence, is_output, _is_verified(signers, run), verdict)
        yield found_run
        if found_run.counts:
            return


def _is_verified(signers: Mapping[str, Signer], run: Run) -> bool:
    signer = signers.get(run.id)
    return signer is not None and signer.verified and not signer.is_revoked


def _is_output(connection: Connection, run: Run, digest: Digest) -> bool:
    """Tell whether the digest is a subject of the stored statement: those were checked against the contract (R11)."""
    stored = attestations.find_of_run(connection, run.organization_id, run.id)
    if stored is None:
        return False
    subjects = read_stored_statement(stored).subjects
    return any(item.material_name and item.digests.get("sha256") == hex_of(digest) for item in subjects)


def _api(reason: GateReason) -> wire.GateReason:
    return wire.GateReason(reason.workflow, reason.approved, reason.code, reason.message, reason.run_id)


def _finding(name: str, message: str) -> Finding:
    return Finding("invalid-field", message, path=f"/{name}")
