"""Keep what newer contract revisions ask for, who was told of it, and what operators decide against the rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

_WAITS = 'enforcement_noticed_at IS NULL'
_NOT_ENDED = 'ended_at IS NULL'


def upgrade() -> None:
    op.add_column('attestations', sa.Column('new_requirements', sa.Text(), server_default=sa.text("'[]'"), nullable=False))
    op.add_column('workflow_runs', sa.Column('distrusted_at', sa.String(length=32), nullable=True))
    op.add_column('contract_revisions', sa.Column('enforcement_noticed_at', sa.String(length=32), nullable=True))
    # Until now each was enforced at once: nobody waits for it.
    op.execute('UPDATE contract_revisions SET enforcement_noticed_at = created_at')
    op.create_index('ix_revisions_waiting', 'contract_revisions', ['enforced_from'], unique=False,
        sqlite_where=sa.text(_WAITS), postgresql_where=sa.text(_WAITS))
    op.create_table('contract_notices',
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('contract_id', sa.String(length=36), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('workflow_id', sa.String(length=36), nullable=False),
    sa.Column('told_at', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['contract_id', 'revision'], ['contract_revisions.contract_id', 'contract_revisions.revision'], name='fk_contract_notices_revision'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_contract_notices_organization_id_organizations')),
    sa.ForeignKeyConstraint(['workflow_id'], ['workflows.id'], name=op.f('fk_contract_notices_workflow_id_workflows')),
    sa.PrimaryKeyConstraint('contract_id', 'revision', 'workflow_id', name=op.f('pk_contract_notices'))
    )
    op.create_index('ix_contract_notices_workflow', 'contract_notices', ['workflow_id'], unique=False)
    op.create_table('overrides',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('project_id', sa.String(length=36), nullable=False),
    sa.Column('workflow_id', sa.String(length=36), nullable=False),
    sa.Column('run_id', sa.String(length=36), nullable=True),
    sa.Column('commit_sha', sa.String(length=64), nullable=True),
    sa.Column('target', sa.String(length=128), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('set_at', sa.String(length=32), nullable=False),
    sa.Column('set_by', sa.String(length=36), nullable=False),
    sa.Column('until', sa.String(length=32), nullable=True),
    sa.Column('ended_at', sa.String(length=32), nullable=True),
    sa.Column('ended_by', sa.String(length=36), nullable=True),
    sa.Column('ended_reason', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_overrides_organization_id_organizations')),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_overrides_project_id_projects')),
    sa.ForeignKeyConstraint(['run_id'], ['workflow_runs.id'], name=op.f('fk_overrides_run_id_workflow_runs')),
    sa.ForeignKeyConstraint(['workflow_id'], ['workflows.id'], name=op.f('fk_overrides_workflow_id_workflows')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_overrides'))
    )
    op.create_index('ix_overrides_in_force', 'overrides', ['organization_id', 'kind', 'target'], unique=True,
        sqlite_where=sa.text(_NOT_ENDED), postgresql_where=sa.text(_NOT_ENDED))
    op.create_index('ix_overrides_organization', 'overrides', ['organization_id', 'set_at', 'id'], unique=False)
    op.create_index('ix_overrides_workflow', 'overrides', ['workflow_id', 'set_at', 'id'], unique=False)


def downgrade() -> None:
    op.drop_table('overrides')
    op.drop_table('contract_notices')
    op.drop_index('ix_revisions_waiting', table_name='contract_revisions')
    op.drop_column('contract_revisions', 'enforcement_noticed_at')
    op.drop_column('workflow_runs', 'distrusted_at')
    op.drop_column('attestations', 'new_requirements')
