"""The predicate `chainloop.dev/attestation/v0.2`: everything that is attested of a run. Source: reference section 5.2.

What only this implementation signs stands under `chainloopCi`. Policies are not evaluated yet: the counts say zero,
which readers take for «not applicable», never for «passed».
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from chainloop_ci.attestation.fields import present
from chainloop_ci.attestation.runner_document import ci_document
from chainloop_ci.attestation.state import CraftingState, WorkflowPin
from chainloop_ci.attestation.state_document import OWN_FIELD
from chainloop_ci.attestation.subject import render_material
from chainloop_ci.attestation.times import render_time
from chainloop_ci.digests import Digest

PREDICATE_TYPE = "chainloop.dev/attestation/v0.2"
"""The predicate that is written."""

BUILD_TYPE = "chainloop.dev/workflowrun/v0.1"
"""What kind of build the predicate describes."""


def builder_id(version: str, record_digest: Digest | None) -> str:
    """Return who crafted: version of this program and digest of its installed files (design decision 18).

    `record_digest` is the digest of the wheel's RECORD; a checkout that is not installed has none.
    """
    builder = f"chainloop.dev/cli/{version}"
    return f"{builder}@{record_digest}" if record_digest else builder


def render_predicate(state: CraftingState, *, finished_at: datetime, builder_id: str) -> dict[str, object]:
    """Return the predicate; optional facts are left out when they are empty."""
    optional: Mapping[str, object] = {
        "annotations": dict(state.annotations),
        "env": {**state.runner.env, **state.env},
        "runnerAuthenticated": state.runner.authenticated,
        "runnerEnvironment": state.runner.environment,
        "runnerURL": state.runner.url,
        "runnerWorkflowFilePath": state.runner.workflow_file_path,
    }
    materials = sorted(state.materials.values(), key=lambda entry: entry.name)
    return {
        "auth": {"id": state.auth_id, "type": state.auth_type},
        "buildType": BUILD_TYPE,
        "builder": {"id": builder_id},
        "casBackend": {
            "casBackendID": state.cas.id,
            "casBackendName": state.cas.name,
            "fallback": state.cas.fallback,
        },
        OWN_FIELD: _own_facts(state),
        "materials": [render_material(entry) for entry in materials],
        "metadata": _metadata(state.pin, state.initialized_at, finished_at),
        **_policy_facts(),
        "runnerType": state.runner.type.value,
        **present(optional),
    }


def _metadata(pin: WorkflowPin, initialized_at: datetime, finished_at: datetime) -> dict[str, object]:
    return {
        "contractName": pin.contract_name,
        "contractVersion": str(pin.contract_revision),
        "finishedAt": render_time(finished_at),
        "initializedAt": render_time(initialized_at),
        "name": pin.name,
        "organization": pin.organization,
        "project": pin.project,
        "projectVersion": pin.project_version,
        "projectVersionPrerelease": pin.project_version_prerelease,
        "team": pin.team,
        "workflowID": pin.workflow_id,
        "workflowName": pin.name,
        "workflowRunID": pin.run_id,
    }


def _policy_facts() -> dict[str, object]:
    return {
        "policyAttBlocked": False,
        "policyBlockBypassEnabled": False,
        "policyCheckBlockingStrategy": "ADVISORY",
        "policyEvaluationsCount": 0,
        "policyHasViolations": False,
        "policyViolationsCount": 0,
    }


def _own_facts(state: CraftingState) -> dict[str, object]:
    return present(
        {
            "calledWorkflow": state.runner.called_workflow,
            "ci": ci_document(state.session.ci),
            "contractDigest": str(state.pin.contract_digest),
        }
    )
