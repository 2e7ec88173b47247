"""Find what forges told long ago."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_heads_told', 'heads', ['told_at'], unique=False)
    op.create_index('ix_ci_runs_told', 'ci_runs', ['told_at'], unique=False)
    op.create_index('ix_runs_ci', 'workflow_runs', ['organization_id', 'ci_run_id'], unique=False,
        sqlite_where=sa.text('ci_run_id IS NOT NULL'), postgresql_where=sa.text('ci_run_id IS NOT NULL'))


def downgrade() -> None:
    op.drop_index('ix_runs_ci', table_name='workflow_runs')
    op.drop_index('ix_ci_runs_told', table_name='ci_runs')
    op.drop_index('ix_heads_told', table_name='heads')
