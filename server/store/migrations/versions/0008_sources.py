"""Let workflows have sources, and a repository's status contexts one owner."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('sources',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('host', sa.Text(), nullable=False),
    sa.Column('repository', sa.Text(), nullable=False),
    sa.Column('address_key', sa.Text(), nullable=False),
    sa.Column('repository_id', sa.String(length=64), nullable=True),
    sa.Column('default_branch', sa.String(length=255), nullable=True),
    sa.Column('hook_secret', sa.Text(), nullable=True),
    sa.Column('previous_hook_secret', sa.Text(), nullable=True),
    sa.Column('hook_id', sa.String(length=64), nullable=True),
    sa.Column('registration_id', sa.String(length=36), nullable=True),
    sa.Column('created_at', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_sources_organization_id_organizations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sources')),
    sa.UniqueConstraint('organization_id', 'kind', 'address_key', name='uq_sources_address')
    )
    op.create_index('ix_sources_organization', 'sources', ['organization_id', 'created_at', 'id'], unique=False)
    op.create_table('workflow_sources',
    sa.Column('workflow_id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('source_id', sa.String(length=36), nullable=False),
    sa.Column('ci_file', sa.Text(), nullable=False),
    sa.Column('branch', sa.String(length=255), nullable=True),
    sa.Column('event', sa.String(length=64), nullable=True),
    sa.Column('paths', sa.Text(), nullable=False),
    sa.Column('cadence_seconds', sa.Integer(), nullable=True),
    sa.Column('grace_seconds', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_workflow_sources_organization_id_organizations')),
    sa.ForeignKeyConstraint(['source_id'], ['sources.id'], name=op.f('fk_workflow_sources_source_id_sources')),
    sa.ForeignKeyConstraint(['workflow_id'], ['workflows.id'], name=op.f('fk_workflow_sources_workflow_id_workflows')),
    sa.PrimaryKeyConstraint('workflow_id', name=op.f('pk_workflow_sources'))
    )
    op.create_index('ix_workflow_sources_source', 'workflow_sources', ['source_id'], unique=False)
    op.create_table('status_contexts',
    sa.Column('forge', sa.Text(), nullable=False),
    sa.Column('repository_id', sa.String(length=64), nullable=False),
    sa.Column('context', sa.String(length=255), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_status_contexts_organization_id_organizations')),
    sa.PrimaryKeyConstraint('forge', 'repository_id', 'context', name=op.f('pk_status_contexts'))
    )


def downgrade() -> None:
    op.drop_table('status_contexts')
    op.drop_index('ix_workflow_sources_source', table_name='workflow_sources')
    op.drop_table('workflow_sources')
    op.drop_index('ix_sources_organization', table_name='sources')
    op.drop_table('sources')
