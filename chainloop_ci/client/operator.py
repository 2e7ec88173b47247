"""The control plane as an operator's commands see it: everything that jobs have no need of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import IO, Any, TypeVar

from chainloop_ci.api.access import (
    ApiToken,
    CreatedToken,
    KeyRequest,
    Organization,
    OrganizationRequest,
    OrganizationSettings,
    TokenRequest,
    TokenRotation,
    VerificationKey,
)
from chainloop_ci.api.apply import Applied, ApplyRequest
from chainloop_ci.api.audit import Activity, AuditEntry
from chainloop_ci.api.inbound import HookSecret, InboundDelivery, SecretRotation
from chainloop_ci.api.limits import MAX_PAGE
from chainloop_ci.api.overrides import Override, OverrideEnd, OverrideRequest
from chainloop_ci.api.paging import Page
from chainloop_ci.api.record import to_dict
from chainloop_ci.api.referrers import ReferrerGraph
from chainloop_ci.api.requirements import ContractImpact
from chainloop_ci.api.runs import RunDetail, WorkflowRun
from chainloop_ci.api.sources import Source, SourceChange, SourceRequest, WorkflowSource
from chainloop_ci.api.words import OverrideKind
from chainloop_ci.api.workflows import Contract, ContractRevision, Workflow, WorkflowChange
from chainloop_ci.client.answers import page, read_record
from chainloop_ci.client.judgements import Judgements
from chainloop_ci.client.lister import Paging as Paging
from chainloop_ci.client.lister import naming_the_cursor
from chainloop_ci.client.transfers import Progress, Received, file_name, receive
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import DigestMismatchError, NotFoundError, UsageError
from chainloop_ci.records import record

R = TypeVar("R")


@record
class RunFilter:
    """Which runs; None is any. Names are the query's."""

    workflow: str | None = None
    """Id or name."""
    project: str | None = None
    state: str | None = None
    commit: str | None = None
    digest: str | None = None
    runner: str | None = None
    token: str | None = None
    since: str | None = None
    """RFC 3339, as `until`."""
    until: str | None = None


@record
class AuditFilter:
    """Which audit records; None is any. Names are the query's."""

    token: str | None = None
    """Id or name."""
    action: str | None = None
    since: str | None = None
    """RFC 3339, as `until`."""
    until: str | None = None


class Operator(Judgements):
    """Requests of an operator; a job's are among them."""

    # --- organizations, tokens, keys ---------------------------------------------------------------------------------

    def list_organizations(self, paging: Paging) -> Page[Organization]:
        """Return the token's own organization; with an instance token all."""
        return self._list(Organization, "organizations", paging)

    def create_organization(self, request: OrganizationRequest) -> Organization:
        """Create an organization; needs an instance token."""
        return read_record(Organization, self.http.json("POST", "organizations", to_dict(request)))

    def get_organization(self, name: str) -> Organization:
        """Return an organization."""
        return read_record(Organization, self.http.json("GET", f"organizations/{name}"))

    def update_organization(self, name: str, settings: OrganizationSettings) -> Organization:
        """Change what `settings` names."""
        return read_record(
            Organization, self.http.json("PATCH", f"organizations/{name}", to_dict(settings), repeat=True)
        )

    def list_tokens(self, paging: Paging) -> Page[ApiToken]:
        """Return API tokens, without secrets."""
        return self._list(ApiToken, "api-tokens", paging)

    def create_token(self, request: TokenRequest) -> CreatedToken:
        """Create an API token; the answer alone has its secret."""
        return read_record(CreatedToken, self.http.json("POST", "api-tokens", to_dict(request)))

    def rotate_token(self, token_id: str, rotation: TokenRotation) -> CreatedToken:
        """Give a token a new secret."""
        return read_record(CreatedToken, self.http.json("POST", f"api-tokens/{token_id}/rotate", to_dict(rotation)))

    def revoke_token(self, token_id: str) -> ApiToken:
        """End a token and its open runs."""
        return read_record(ApiToken, self.http.json("POST", f"api-tokens/{token_id}/revoke", repeat=True))

    def find_token(self, name_or_id: str) -> ApiToken:
        """Return the token with that id or name, a revoked one too: names are not used again.

        Raises:
            NotFoundError: there is none.
        """
        return _only(
            "API token",
            name_or_id,
            (token for token in self._every(ApiToken, "api-tokens") if name_or_id in (token.id, token.name)),
            "chainloop organization api-token list",
        )

    def list_activity(
        self, token_id: str, paging: Paging, *, since: str | None = None, until: str | None = None
    ) -> Page[Activity]:
        """Return what a token did, newest first."""
        return self._list(Activity, f"api-tokens/{token_id}/activity", paging, since=since, until=until)

    def list_audit(self, wanted: AuditFilter, paging: Paging) -> Page[AuditEntry]:
        """Return audit records, newest first."""
        return self._list(AuditEntry, "audit-records", paging, **asdict(wanted))

    def list_keys(self, paging: Paging) -> Page[VerificationKey]:
        """Return verification keys, retired and revoked ones too."""
        return self._list(VerificationKey, "verification-keys", paging)

    def add_key(self, request: KeyRequest) -> VerificationKey:
        """Register a verification key."""
        return read_record(VerificationKey, self.http.json("POST", "verification-keys", to_dict(request)))

    def retire_key(self, key_id: Digest) -> VerificationKey:
        """Accept no new attestations of a key; those before stay good."""
        return read_record(VerificationKey, self.http.json("POST", f"verification-keys/{key_id}/retire", repeat=True))

    def revoke_key(self, key_id: Digest) -> VerificationKey:
        """Trust nothing of a key any more."""
        return read_record(VerificationKey, self.http.json("POST", f"verification-keys/{key_id}/revoke", repeat=True))

    def find_key(self, name_or_id: str) -> VerificationKey:
        """Return the key with that id or name.

        Raises:
            NotFoundError: there is none.
        """
        return _only(
            "verification key",
            name_or_id,
            (key for key in self._every(VerificationKey, "verification-keys") if name_or_id in (key.id, key.name)),
            "chainloop organization key list",
        )

    # --- workflows and contracts -------------------------------------------------------------------------------------

    def list_workflows(
        self, paging: Paging, *, project: str | None = None, name: str | None = None, contract: str | None = None
    ) -> Page[Workflow]:
        """Return workflows."""
        return self._list(Workflow, "workflows", paging, project=project, name=name, contract=contract)

    def find_workflow(self, name_or_id: str, project: str | None) -> Workflow:
        """Return the workflow with that id, or that name in the project.

        Raises:
            NotFoundError: there is none.
            UsageError: several projects have one of that name.
        """
        if is_id(name_or_id):
            return read_record(Workflow, self.http.json("GET", f"workflows/{name_or_id}"))
        return _only(
            "workflow",
            name_or_id,
            self._every(Workflow, "workflows", project=project, name=name_or_id),
            "chainloop workflow list",
            "--project",
        )

    def update_workflow(self, workflow_id: str, change: WorkflowChange) -> Workflow:
        """Change what `change` names."""
        return read_record(Workflow, self.http.json("PATCH", f"workflows/{workflow_id}", to_dict(change), repeat=True))

    def delete_workflow(self, workflow_id: str) -> None:
        """Delete a workflow that has no runs."""
        self.http.exchange("DELETE", f"workflows/{workflow_id}", repeat=False)

    def list_sources(self, paging: Paging) -> Page[Source]:
        """Return the repositories and jobs that workflows come from."""
        return self._list(Source, "sources", paging)

    def get_source(self, workflow_id: str) -> WorkflowSource:
        """Return a workflow's source, or the one that its first attestation claimed."""
        return read_record(WorkflowSource, self.http.json("GET", f"workflows/{workflow_id}/source"))

    def put_source(self, workflow_id: str, request: SourceRequest) -> WorkflowSource:
        """Register a workflow's source."""
        return read_record(
            WorkflowSource, self.http.json("PUT", f"workflows/{workflow_id}/source", to_dict(request), repeat=True)
        )

    def change_source(self, source_id: str, change: SourceChange) -> Source:
        """Change what holds for a repository and all workflows that come from it."""
        return read_record(Source, self.http.json("PATCH", f"sources/{source_id}", to_dict(change)))

    def delete_source(self, workflow_id: str) -> None:
        """Take the registered source from a workflow."""
        self.http.exchange("DELETE", f"workflows/{workflow_id}/source", repeat=False)

    def create_hook_secret(self, source_id: str) -> HookSecret:
        """Make the first secret of a source's webhook; the answer alone has it."""
        return read_record(HookSecret, self.http.json("POST", f"sources/{source_id}/secret"))

    def rotate_hook_secret(self, source_id: str, rotation: SecretRotation) -> HookSecret:
        """Make another secret of a source's webhook."""
        return read_record(HookSecret, self.http.json("POST", f"sources/{source_id}/secret/rotate", to_dict(rotation)))

    def list_inbound(
        self, paging: Paging, *, source: str | None, event: str | None, outcome: str | None
    ) -> Page[InboundDelivery]:
        """Return webhooks that came in, newest first."""
        wanted = {"source": source, "event": event, "outcome": outcome}
        return self._list(InboundDelivery, "inbound-webhooks", paging, **wanted)

    def get_inbound(self, delivery_id: str) -> InboundDelivery:
        """Return a webhook that came in."""
        return read_record(InboundDelivery, self.http.json("GET", f"inbound-webhooks/{delivery_id}"))

    def replay_inbound(self, delivery_id: str) -> InboundDelivery:
        """Have a webhook that came in handled once more."""
        return read_record(InboundDelivery, self.http.json("POST", f"inbound-webhooks/{delivery_id}/replay"))

    def apply(self, request: ApplyRequest) -> Applied:
        """Store contracts and workflows that are not there or not so; repeating it is safe."""
        return read_record(Applied, self.http.json("POST", "apply", to_dict(request), repeat=True))

    def list_contracts(self, paging: Paging) -> Page[Contract]:
        """Return contracts."""
        return self._list(Contract, "contracts", paging)

    def get_contract(self, name: str) -> Contract:
        """Return a contract without its content."""
        return read_record(Contract, self.http.json("GET", f"contracts/{name}"))

    def get_contract_revision(self, name: str, revision: int) -> ContractRevision:
        """Return one revision with its bytes."""
        return read_record(ContractRevision, self.http.json("GET", f"contracts/{name}/revisions/{revision}"))

    def judge_impact(self, name: str, raw: bytes, media_type: str) -> Iterator[ContractImpact]:
        """Yield what another text of a contract would mean for each workflow that uses it; nothing is stored."""
        cursor: str | None = None
        while True:
            answer = self.http.send(
                "POST",
                f"contracts/{name}/impact",
                raw,
                query={"limit": MAX_PAGE, "cursor": cursor},
                media_type=media_type,
                repeat=True,
            )
            found = page(ContractImpact, answer)
            yield from found.items
            cursor = found.next_cursor
            if cursor is None:
                return

    def delete_contract(self, name: str) -> None:
        """Delete a contract that no workflow uses."""
        self.http.exchange("DELETE", f"contracts/{name}", repeat=False)

    # --- overrides ---------------------------------------------------------------------------------------------------

    def set_override(self, request: OverrideRequest) -> Override:
        """Decide against the rules: block a workflow, distrust a run, let a commit pass."""
        return read_record(Override, self.http.json("POST", "overrides", to_dict(request)))

    def end_override(self, override_id: str, request: OverrideEnd) -> Override:
        """End what was decided."""
        return read_record(Override, self.http.json("POST", f"overrides/{override_id}/end", to_dict(request)))

    def list_overrides(
        self,
        paging: Paging,
        *,
        kind: OverrideKind | None = None,
        workflow_id: str | None = None,
        also_ended: bool = False,
    ) -> Page[Override]:
        """Return what was decided and is in force; with `also_ended` the others too."""
        filters = {"kind": kind and kind.value, "workflowId": workflow_id, "ended": "true" if also_ended else None}
        return self._list(Override, "overrides", paging, **filters)

    # --- runs and artifacts ------------------------------------------------------------------------------------------

    def list_runs(self, wanted: RunFilter, paging: Paging) -> Page[WorkflowRun]:
        """Return runs, newest first."""
        return self._list(WorkflowRun, "workflow-runs", paging, **asdict(wanted))

    def get_run(self, run_id: str) -> RunDetail:
        """Return a run with everything that the server knows of it."""
        return read_record(RunDetail, self.http.json("GET", f"workflow-runs/{run_id}"))

    def get_run_by_digest(self, digest: Digest) -> RunDetail:
        """Return the run whose attestation has that digest.

        Raises:
            NotFoundError: there is none.
        """
        # The filter also finds the runs that have a material of this digest.
        for run in self._every(WorkflowRun, "workflow-runs", digest=digest):
            if run.attestation_digest == digest:
                return self.get_run(run.id)
        raise NotFoundError(
            f"no workflow run has the attestation {digest}",
            hint="the runs that have a material of this digest are shown by `chainloop workflow run list --digest`",
        )

    def get_attestation(self, digest: Digest) -> bytes:
        """Return the exact bytes of a stored attestation.

        Raises:
            DigestMismatchError: other bytes came.
        """
        raw = self.http.exchange("GET", f"attestations/{digest}", accept="*/*").body
        if sha256_digest(raw) != digest:
            raise DigestMismatchError(digest, sha256_digest(raw), "they are not shown")
        return raw

    def discover(self, digest: str, kind: str | None, depth: int, paging: Paging) -> ReferrerGraph:
        """Return what has a digest, what it refers to and what refers to it, up to `depth` steps away."""
        query = {"kind": kind, "depth": depth, "limit": paging.limit, "cursor": paging.cursor}
        with naming_the_cursor():
            return read_record(ReferrerGraph, self.http.json("GET", f"referrers/{digest}", query=query))

    @contextmanager
    def artifact(self, digest: Digest) -> Iterator[Download]:
        """Begin to download an artifact."""
        with self.http.stream(f"artifacts/{digest}") as (headers, blocks):
            yield Download(digest, file_name(headers, digest), _length(headers), blocks)


@record
class Download:
    """An artifact on its way."""

    digest: Digest
    filename: str
    """As it was uploaded, made harmless."""
    size_bytes: int | None
    blocks: Iterator[bytes]

    def save(self, sink: IO[bytes], progress: Progress | None = None) -> Received:
        """Write it to `sink`; when this raises, what is there must be thrown away.

        Raises:
            DigestMismatchError: other bytes came.
        """
        return receive(self.blocks, sink, self.digest, progress)


def is_id(text: str) -> bool:
    """Tell whether `text` is an id (lower-case UUID) and not a name."""
    import re

    from chainloop_ci.api.limits import UUID_PATTERN

    return re.fullmatch(UUID_PATTERN, text) is not None


def _length(headers: Mapping[str, Any]) -> int | None:
    text = next((str(value) for name, value in headers.items() if name.lower() == "content-length"), "")
    return int(text) if text.isascii() and text.isdigit() else None


def _only(noun: str, named: str, found: Iterator[R], lister: str, option: str = "its id") -> R:
    """Return the one thing that a name stands for; the command `lister` shows which there are."""
    first = next(found, None)
    if first is None:
        raise NotFoundError(
            f"there is no {noun} {named[:140]!r} here, or it belongs to another organization",
            hint=f"`{lister}` shows those that there are",
        )
    if next(found, None) is not None:
        raise UsageError(f"several have the name {named!r}; expected one {noun}", hint=f"say which one with {option}")
    return first
