"""Words of the wire that options of the command line take too; light to load, records are not."""

from __future__ import annotations

from enum import StrEnum


class CancelTrigger(StrEnum):
    """What ended a run that was not pushed."""

    FAILURE = "failure"
    CANCELLATION = "cancellation"
    SUPERSEDED = "superseded"
    """By a run that took its place in the same job (R17)."""


class CasBackend(StrEnum):
    """Where an organization keeps the content of materials."""

    FILESYSTEM = "filesystem"
    INLINE = "inline"
    """Inside the signed statement."""


class OverrideKind(StrEnum):
    """What an operator decides against the rules (R39)."""

    BLOCK = "block"
    """Nothing of a workflow is begun, and its commits fail."""
    DISTRUST = "distrust"
    """A run counts as success nowhere."""
    OVERRIDE = "override"
    """A commit passes for a workflow, whatever it attested."""


class IntegrationKind(StrEnum):
    """What can be told of events; each has one entry in the server's registry."""

    GITHUB = "github"
    GITLAB = "gitlab"
    WEBHOOK = "webhook"


class DeliveryState(StrEnum):
    """States of a delivery; only the first is not for good, until an operator replays it."""

    PENDING = "pending"
    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    """A newer one of its lane says more."""
    SKIPPED = "skipped"
    """There was nothing to tell, or nobody any more to tell it to."""
    DEAD = "dead"
    """It was refused, or not taken for three days."""


class DriftKind(StrEnum):
    """What an operator has to look at; in the order of the list."""

    STOPPED = "stopped"
    """A workflow attests less often than its source says."""
    FAILING = "failing"
    """The last run of a workflow did not succeed."""
    NEVER_SEEN = "never-seen"
    """A workflow never had a run."""
    OLD_REVISION = "old-revision"
    """The last attestation of a workflow was held to an older revision of its contract than the one in force."""
    UNATTESTED = "unattested"
    """No attestation came of a commit that had to be attested: a missing one."""
    OVERRIDE = "override"
    """What an operator decided against the rules, and is in force (R39)."""


class AuditAction(StrEnum):
    """What is audited."""

    ORGANIZATION_CREATED = "organization.created"
    ORGANIZATION_SETTINGS_CHANGED = "organization.settings-changed"
    TOKEN_CREATED = "token.created"  # noqa: S105  # an action's name
    TOKEN_ROTATED = "token.rotated"  # noqa: S105
    TOKEN_REVOKED = "token.revoked"  # noqa: S105
    KEY_REGISTERED = "key.registered"
    KEY_RETIRED = "key.retired"
    KEY_REVOKED = "key.revoked"
    PROJECT_CREATED = "project.created"
    WORKFLOW_CREATED = "workflow.created"
    WORKFLOW_CHANGED = "workflow.changed"
    WORKFLOW_DELETED = "workflow.deleted"
    SOURCE_CHANGED = "workflow.source-changed"
    SOURCE_REMOVED = "workflow.source-removed"
    SOURCE_SETTINGS_CHANGED = "source.settings-changed"
    """What its statuses name, or whom they let through."""
    SOURCE_SECRET_CREATED = "source.secret-created"  # noqa: S105  # an action's name
    SOURCE_SECRET_ROTATED = "source.secret-rotated"  # noqa: S105
    SOURCE_HOOKS_ASKED = "source.hooks-asked"
    INBOUND_REPLAYED = "inbound.replayed"
    STATUS_FORGED = "status.forged"
    """By somebody else under one of our names; the server says it."""
    CONTRACT_CREATED = "contract.created"
    CONTRACT_REVISED = "contract.revised"
    CONTRACT_RESCHEDULED = "contract.rescheduled"
    """Another date from which a revision is enforced."""
    CONTRACT_DELETED = "contract.deleted"
    OVERRIDE_SET = "override.set"
    OVERRIDE_ENDED = "override.ended"
    # Of a run that another token began: a run itself says who began it, and what came of it.
    RUN_CANCELED = "run.canceled"
    ATTESTATION_STORED = "attestation.stored"
    INTEGRATION_REGISTERED = "integration.registered"
    INTEGRATION_CHANGED = "integration.changed"
    INTEGRATION_PAUSED = "integration.paused"
    INTEGRATION_RESUMED = "integration.resumed"
    INTEGRATION_REMOVED = "integration.removed"
    INTEGRATION_ATTACHED = "integration.attached"
    INTEGRATION_DETACHED = "integration.detached"
    SECRETS_RESEALED = "secrets.resealed"
    """By the server's operator, after a change of keys."""
    INSTALLATION_BOUND = "installation.bound"
    """Of a GitHub App, to the organization that has shown the App's key."""
    INSTALLATION_RELEASED = "installation.released"
    DELIVERY_REPLAYED = "delivery.replayed"
    ARTIFACT_UPLOADED = "artifact.uploaded"
    """Without a run, or for one that another token began."""
