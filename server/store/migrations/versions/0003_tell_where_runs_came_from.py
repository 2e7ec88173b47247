"""Tell where runs came from and which commit they attest, and when a token was rotated."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

# An attestation has an edge to the commit that it is about; the digits stand behind `sha1:` or `sha256:`.
_COMMITS = """
UPDATE workflow_runs SET attested_commit = (
  SELECT MIN(CASE WHEN e.to_digest LIKE 'sha1:%' THEN SUBSTR(e.to_digest, 6) ELSE SUBSTR(e.to_digest, 8) END)
  FROM referrer_edges e
  WHERE e.organization_id = workflow_runs.organization_id AND e.from_digest = workflow_runs.attestation_digest
    AND e.from_kind = 'ATTESTATION' AND e.to_kind = 'GIT_HEAD_COMMIT')
WHERE attestation_digest IS NOT NULL
"""


def upgrade() -> None:
    op.add_column('workflow_runs', sa.Column('created_address', sa.String(length=64), server_default=sa.text("''"), nullable=False))
    op.add_column('workflow_runs', sa.Column('attested_commit', sa.String(length=64), nullable=True))
    op.add_column('api_tokens', sa.Column('rotated_at', sa.String(length=32), nullable=True))
    op.execute(_COMMITS)
    op.execute('UPDATE workflow_runs SET attested_commit = NULL WHERE attested_commit = ci_head_sha')
    op.create_index('ix_runs_attested_commit', 'workflow_runs', ['organization_id', 'attested_commit', 'sequence'],
        unique=False, sqlite_where=sa.text('attested_commit IS NOT NULL'),
        postgresql_where=sa.text('attested_commit IS NOT NULL'))


def downgrade() -> None:
    op.drop_index('ix_runs_attested_commit', table_name='workflow_runs')
    op.drop_column('api_tokens', 'rotated_at')
    op.drop_column('workflow_runs', 'attested_commit')
    op.drop_column('workflow_runs', 'created_address')
