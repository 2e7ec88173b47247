"""Let a contract be read without a token, and tell late runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('workflows', sa.Column('public_contract_id', sa.String(length=36), nullable=True))
    op.create_index('ix_workflows_public_contract', 'workflows', ['public_contract_id'], unique=True,
        sqlite_where=sa.text('public_contract_id IS NOT NULL'),
        postgresql_where=sa.text('public_contract_id IS NOT NULL'))
    op.add_column('workflow_runs', sa.Column('late', sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column('workflow_runs', 'late')
    op.drop_index('ix_workflows_public_contract', table_name='workflows')
    op.drop_column('workflows', 'public_contract_id')
