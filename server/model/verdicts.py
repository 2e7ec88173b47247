"""What the server found out about an attestation that it stores, line by line, each with its reason (R12, R37)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainloop_ci.api.runs import Check, Proof, Verification
from chainloop_ci.attestation.view import StatementView
from chainloop_ci.contract.types import Contract, RunnerType
from chainloop_ci.errors import RunnerMismatchError
from server.model.runs import Run
from server.model.signers import SignatureVerdict

_ANYTHING = "may hold anything"


def judge(
    signature: SignatureVerdict, view: StatementView, run: Run, contract: Contract, checks: Mapping[str, str]
) -> Verification:
    """Return the verification of an attestation in which nothing differs.

    Args:
        signature: the verdict on the bundle's signature.
        view: what the statement says.
        run: the run that it belongs to.
        contract: the revision that the run is pinned to.
        checks: what became of each material's content check, by name.
    """
    return Verification(
        signature=signature.signature,
        key=signature.key,
        runner=_runner(run),
        source=_source(run),
        commit=_commit(view, run),
        contract=_contract(view, run, contract),
        content=_content(checks),
    )


def _runner(run: Run) -> Check:
    if run.runner_type == RunnerType.GENERIC:
        return Check(Proof.CLAIMED, f"{RunnerMismatchError.NOWHERE} ({run.runner_type}) by the job's word")
    return Check(Proof.CLAIMED, f"{run.runner_type} by the job's word; no CI system has confirmed it")


def _source(run: Run) -> Check:
    if not run.ci.repository:
        return Check(Proof.NOT_SHOWN, "the job named no repository")
    return Check(Proof.CLAIMED, f"{run.ci.repository} by the job's word; {_why_claimed(run)}")


def _commit(view: StatementView, run: Run) -> Check:
    signed, told = view.head.hash if view.head else None, run.ci.head_sha
    if signed and told and signed != told:
        return Check(Proof.NO, f"the statement is about commit {signed}, the CI system told the job {told}")
    commit = signed or told
    if commit is None:
        return Check(Proof.NOT_SHOWN, "the job named no commit")
    return Check(Proof.CLAIMED, f"{commit} by the job's word; {_why_claimed(run)}")


def _why_claimed(run: Run) -> str:
    # R20: a forge could confirm it only while its CI run still runs (R30).
    return "late, not corroborated" if run.late else "the forge was not asked"


def _contract(view: StatementView, run: Run, contract: Contract) -> Check:
    revision = f"revision {run.contract_revision} of contract {run.names.contract} ({run.contract_digest})"
    if run.late and view.contract_digest != run.contract_digest:
        revision += f", the newest when it came late; the job was held to {view.contract_digest}"
    if not contract.has_requirements:
        return Check(Proof.NOT_SHOWN, f"no requirements: {revision} asks for nothing")
    if contract.policies or contract.policy_groups:
        return Check(Proof.YES, f"meets {revision}; its policies were not evaluated")
    return Check(Proof.YES, f"meets {revision}")


def _content(checks: Mapping[str, str]) -> Check:
    if not checks:
        return Check(Proof.NOT_SHOWN, "the attestation has no materials")
    # A file that may hold anything is known by its digest, which the upload proved.
    open_ends = {name: text for name, text in checks.items() if not _is_shown(text)}
    if not open_ends:
        return Check(Proof.YES, _all_shown(list(checks.values())))
    listed = "; ".join(f"{name}: {text}" for name, text in sorted(open_ends.items())[:20])
    more = f"; and {len(open_ends) - 20} more" if len(open_ends) > 20 else ""
    return Check(Proof.CLAIMED, f"{len(checks) - len(open_ends)} of {len(checks)} contents shown; {listed}{more}")


def _all_shown(texts: Sequence[str]) -> str:
    formless = sum(text.endswith(_ANYTHING) for text in texts)
    contents = "the one content is" if len(texts) == 1 else f"all {len(texts)} contents are"
    if not formless:
        return f"{contents} stored, hashed and checked"
    which = "it" if len(texts) == 1 else str(formless)
    return f"{contents} stored and hashed; {which} may hold anything and {'is' if formless == 1 else 'are'} not checked"


def _is_shown(text: str) -> bool:
    # A lenient check let violations of the schema pass: the content is what the job says, not what its type promises.
    strictly = text.startswith("checked") and not text.startswith("checked leniently")
    return strictly or text.endswith(_ANYTHING)
