"""Find the sources that know a commit: a gate is asked about one without being told where it is (R33)."""

from __future__ import annotations

from alembic import op


revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_heads_commit', 'heads', ['organization_id', 'sha'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_heads_commit', table_name='heads')
