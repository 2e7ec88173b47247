"""Who asks: a token with its role and scope, resolved once per request (R1)."""

from __future__ import annotations

from dataclasses import dataclass

from chainloop_ci.api.access import Role
from chainloop_ci.errors import NotAllowedError

READERS = frozenset({Role.READ, Role.OPERATE, Role.ADMIN, Role.INSTANCE})
ATTESTERS = frozenset({Role.ATTEST, Role.OPERATE, Role.ADMIN, Role.INSTANCE})
OPERATORS = frozenset({Role.OPERATE, Role.ADMIN, Role.INSTANCE})
ADMINS = frozenset({Role.ADMIN, Role.INSTANCE})
INSTANCE_ONLY = frozenset({Role.INSTANCE})
EVERYBODY = frozenset(Role)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a principal's lists and look-ups go: one organization, narrowed to a project or a workflow of it."""

    organization_id: str
    project_id: str | None = None
    workflow_id: str | None = None

    @property
    def is_whole(self) -> bool:
        """Tell whether it is the whole organization."""
        return self.project_id is None and self.workflow_id is None


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated token.

    `operate` may do what `attest` and `read` may; `admin` and `instance` what `operate` may.
    """

    token_id: str
    token_name: str
    role: Role
    organization_id: str
    """Empty for an instance token that named no organization."""
    organization: str
    project_id: str | None = None
    """Set: the token reaches this project only."""
    workflow_id: str | None = None
    """Set: the token reaches this workflow only."""
    project: str | None = None
    workflow: str | None = None
    address: str = ""
    """Of the client, after trusted proxies (R47)."""

    @property
    def reach(self) -> Reach:
        """Return how far the token's lists go."""
        return Reach(self.organization_id, self.project_id, self.workflow_id)

    def reaches(self, *, project_id: str | None, workflow_id: str | None = None) -> bool:
        """Tell whether something of this project and workflow lies in the token's scope.

        None stands for «the organization as a whole»: only an organization-wide token reaches that.
        """
        if self.workflow_id is not None:
            return workflow_id == self.workflow_id
        if self.project_id is not None:
            return project_id == self.project_id
        return True

    def require_reach(self, *, project_id: str | None, workflow_id: str | None = None) -> None:
        """Refuse what lies in the organization but outside the token's scope.

        Raises:
            NotAllowedError: 403, since the organization is the token's own (design decision 7).
        """
        if not self.reaches(project_id=project_id, workflow_id=workflow_id):
            bound = f"workflow {self.project}/{self.workflow}" if self.workflow_id else f"project {self.project}"
            raise NotAllowedError(
                f"this token is bound to {bound} and may not reach anything else",
                hint="use a token whose scope covers it; an administrator makes one with "
                "`chainloop organization api-token create`",
            )

    def require_role(self, allowed: frozenset[Role]) -> None:
        """Refuse a role that lacks the right.

        Raises:
            NotAllowedError: names the roles that have it, and who gives such a token.
        """
        if self.role not in allowed:
            if allowed == {Role.INSTANCE}:
                raise NotAllowedError(
                    f"this needs an instance token; this one has the role {self.role.value}",
                    hint="the server's operator has it, no administrator of an organization does: ask there",
                )
            names = ", ".join(sorted(role.value for role in allowed))
            raise NotAllowedError(
                f"this needs a token with one of the roles {names}; this one has the role {self.role.value}",
                hint="ask an administrator of the organization for a token with that role",
            )
