"""The records of a workflow contract and the two closed lists that it names: material types and runner types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from chainloop_ci.records import record


class MaterialType(StrEnum):
    """What a material is. All names of reference section 2.2; `materials.registry` says which are implemented."""

    STRING = "STRING"
    CONTAINER_IMAGE = "CONTAINER_IMAGE"
    ARTIFACT = "ARTIFACT"
    SBOM_CYCLONEDX_JSON = "SBOM_CYCLONEDX_JSON"
    SBOM_SPDX_JSON = "SBOM_SPDX_JSON"
    JUNIT_XML = "JUNIT_XML"
    OPENVEX = "OPENVEX"
    CSAF_VEX = "CSAF_VEX"
    SARIF = "SARIF"
    HELM_CHART = "HELM_CHART"
    EVIDENCE = "EVIDENCE"
    ATTESTATION = "ATTESTATION"
    CSAF_INFORMATIONAL_ADVISORY = "CSAF_INFORMATIONAL_ADVISORY"
    CSAF_SECURITY_ADVISORY = "CSAF_SECURITY_ADVISORY"
    CSAF_SECURITY_INCIDENT_RESPONSE = "CSAF_SECURITY_INCIDENT_RESPONSE"
    GITLAB_SECURITY_REPORT = "GITLAB_SECURITY_REPORT"
    ZAP_DAST_ZIP = "ZAP_DAST_ZIP"
    BLACKDUCK_SCA_JSON = "BLACKDUCK_SCA_JSON"
    TWISTCLI_SCAN_JSON = "TWISTCLI_SCAN_JSON"
    GHAS_CODE_SCAN = "GHAS_CODE_SCAN"
    GHAS_SECRET_SCAN = "GHAS_SECRET_SCAN"
    GHAS_DEPENDENCY_SCAN = "GHAS_DEPENDENCY_SCAN"
    JACOCO_XML = "JACOCO_XML"
    SLSA_PROVENANCE = "SLSA_PROVENANCE"
    CHAINLOOP_RUNNER_CONTEXT = "CHAINLOOP_RUNNER_CONTEXT"
    CHAINLOOP_PR_INFO = "CHAINLOOP_PR_INFO"
    GITLEAKS_JSON = "GITLEAKS_JSON"
    CHAINLOOP_AI_AGENT_CONFIG = "CHAINLOOP_AI_AGENT_CONFIG"
    CHAINLOOP_AI_CODING_SESSION = "CHAINLOOP_AI_CODING_SESSION"
    OPENAPI_SPEC = "OPENAPI_SPEC"
    ASYNCAPI_SPEC = "ASYNCAPI_SPEC"
    GRAPHQL_SPEC = "GRAPHQL_SPEC"
    YELP_DETECT_SECRETS_BASELINE = "YELP_DETECT_SECRETS_BASELINE"
    SYSINTERNALS_SIGCHECK = "SYSINTERNALS_SIGCHECK"
    SYSINTERNALS_ACCESSCHK = "SYSINTERNALS_ACCESSCHK"
    CERTCC_DRANZER = "CERTCC_DRANZER"
    OSSF_SCORECARD_JSON = "OSSF_SCORECARD_JSON"
    RADAMSA_REPORT = "RADAMSA_REPORT"
    RADAMSA_CRASHES = "RADAMSA_CRASHES"
    TRUFFLEHOG_JSON = "TRUFFLEHOG_JSON"
    COBERTURA_XML = "COBERTURA_XML"
    CHECKMARX_JSON = "CHECKMARX_JSON"


class RunnerType(StrEnum):
    """Where a job runs. Reference section 2.2 and 4.1."""

    GITHUB_ACTION = "GITHUB_ACTION"
    GITLAB_PIPELINE = "GITLAB_PIPELINE"
    AZURE_PIPELINE = "AZURE_PIPELINE"
    JENKINS_JOB = "JENKINS_JOB"
    CIRCLECI_BUILD = "CIRCLECI_BUILD"
    DAGGER_PIPELINE = "DAGGER_PIPELINE"
    TEAMCITY_PIPELINE = "TEAMCITY_PIPELINE"
    TEKTON_PIPELINE = "TEKTON_PIPELINE"
    CHAINLOOP_SANDBOX = "CHAINLOOP_SANDBOX"
    GENERIC = "RUNNER_TYPE_UNSPECIFIED"
    """Any other place, a laptop included. A contract cannot name it: it leaves the runner out."""


class PrivilegedEvent(StrEnum):
    """Events of GitHub whose jobs have the secrets of a repository while the commit in question may be a stranger's.

    A contract names those in which its workflow may attest. `runners.situations` has a row for each.
    """

    PULL_REQUEST_TARGET = "pull_request_target"
    WORKFLOW_RUN = "workflow_run"


class ContractSchema(StrEnum):
    """Which of the two contract forms a document has."""

    V1 = "v1"
    V2 = "v2"


class ContractFormat(StrEnum):
    """How a contract's bytes are written."""

    YAML = "yaml"
    JSON = "json"
    CUE = "cue"


@record
class Annotation:
    """A name with a value; an empty value must be supplied when crafting."""

    name: str
    value: str = ""


@record
class ContractMaterial:
    """One material that an attestation must, or may, carry."""

    name: str
    type: MaterialType
    optional: bool = False
    output: bool = False
    """The material becomes a subject of the statement."""
    skip_upload: bool = False
    """Only the digest is recorded."""
    group: str | None = None
    """At least one member of a group must be present; `optional` of a member is then ignored."""
    annotations: tuple[Annotation, ...] = ()

    @property
    def required(self) -> bool:
        """Tell whether this material itself must be present."""
        return not self.optional and self.group is None


@record
class Contract:
    """A parsed contract. The bytes it came from are what is stored and pinned, never this record."""

    schema: ContractSchema = ContractSchema.V2
    name: str | None = None
    """`metadata.name`; v1 has none."""
    description: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    """v2 `metadata` without `name` and `description`, kept as it was written."""
    materials: tuple[ContractMaterial, ...] = ()
    env_allow_list: tuple[str, ...] = ()
    runner: RunnerType | None = None
    """None: any runner."""
    privileged_events: tuple[PrivilegedEvent, ...] = ()
    """Events that are refused unless they stand here."""
    annotations: tuple[Annotation, ...] = ()
    policies: Mapping[str, object] | None = None
    """As written: validated and shown, not evaluated yet (design decision 8)."""
    policy_groups: tuple[Mapping[str, object], ...] = ()

    def find_material(self, name: str) -> ContractMaterial | None:
        """Return the entry called `name`."""
        return next((entry for entry in self.materials if entry.name == name), None)

    @property
    def body_path(self) -> str:
        """Return the JSON pointer to what the contract asks for, in its normalised document."""
        return "" if self.schema is ContractSchema.V1 else "/spec"

    @property
    def materials_path(self) -> str:
        """Return the JSON pointer to its materials."""
        return f"{self.body_path}/materials"

    @property
    def groups(self) -> dict[str, tuple[ContractMaterial, ...]]:
        """Return the groups in contract order, each with its members."""
        names = dict.fromkeys(entry.group for entry in self.materials if entry.group)
        return {name: tuple(entry for entry in self.materials if entry.group == name) for name in names}

    @property
    def has_requirements(self) -> bool:
        """Tell whether the contract asks for anything at all (R37); it gives the value of a fixed annotation itself."""
        return bool(
            any(entry.required for entry in self.materials)
            or self.groups
            or self.env_allow_list
            or any(not entry.value for entry in self.annotations)
            or self.runner
        )
