"""Keep the crafting state that jobs share, and which run goes on with which."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('run_states',
    sa.Column('run_id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('digest', sa.String(length=71), nullable=False),
    sa.Column('size_bytes', sa.Integer(), nullable=False),
    sa.Column('updated_at', sa.String(length=32), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_run_states_organization_id_organizations')),
    sa.ForeignKeyConstraint(['run_id'], ['workflow_runs.id'], name=op.f('fk_run_states_run_id_workflow_runs')),
    sa.PrimaryKeyConstraint('run_id', name=op.f('pk_run_states'))
    )
    op.create_index('ix_run_states_organization', 'run_states', ['organization_id', 'size_bytes'], unique=False)
    op.add_column('workflow_runs', sa.Column('predecessor_id', sa.String(length=36), nullable=True))
    op.add_column('workflow_runs', sa.Column('first_run_id', sa.String(length=36), nullable=True))
    op.add_column('workflow_runs', sa.Column('pinned_at', sa.String(length=32), nullable=True))
    op.create_index('ix_runs_predecessor', 'workflow_runs', ['predecessor_id'], unique=True,
        sqlite_where=sa.text('predecessor_id IS NOT NULL'), postgresql_where=sa.text('predecessor_id IS NOT NULL'))
    op.create_index('ix_runs_first', 'workflow_runs', ['first_run_id', 'sequence'], unique=False,
        sqlite_where=sa.text('first_run_id IS NOT NULL'), postgresql_where=sa.text('first_run_id IS NOT NULL'))


def downgrade() -> None:
    op.drop_index('ix_runs_first', table_name='workflow_runs')
    op.drop_index('ix_runs_predecessor', table_name='workflow_runs')
    op.drop_column('workflow_runs', 'pinned_at')
    op.drop_column('workflow_runs', 'first_run_id')
    op.drop_column('workflow_runs', 'predecessor_id')
    op.drop_index('ix_run_states_organization', table_name='run_states')
    op.drop_table('run_states')
