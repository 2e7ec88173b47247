"""Keep what forges told of commits and CI runs, and what was said of commits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('sources', sa.Column('is_public', sa.Boolean(), nullable=True))
    op.add_column('sources', sa.Column('names_in_public', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table('ci_jobs',
    sa.Column('source_id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('ci_run_id', sa.String(length=128), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('job_id', sa.String(length=64), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('status', sa.String(length=16), nullable=False),
    sa.Column('conclusion', sa.String(length=16), nullable=True),
    sa.Column('started_at', sa.String(length=32), nullable=True),
    sa.Column('ended_at', sa.String(length=32), nullable=True),
    sa.Column('told_at', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_ci_jobs_organization_id_organizations')),
    sa.ForeignKeyConstraint(['source_id'], ['sources.id'], name=op.f('fk_ci_jobs_source_id_sources')),
    sa.PrimaryKeyConstraint('source_id', 'ci_run_id', 'attempt', 'job_id', name=op.f('pk_ci_jobs'))
    )
    op.create_table('ci_runs',
    sa.Column('source_id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('ci_run_id', sa.String(length=128), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('ci_file', sa.Text(), nullable=True),
    sa.Column('head_sha', sa.String(length=64), nullable=False),
    sa.Column('is_fork', sa.Boolean(), nullable=False),
    sa.Column('event', sa.String(length=64), nullable=False),
    sa.Column('status', sa.String(length=16), nullable=False),
    sa.Column('conclusion', sa.String(length=16), nullable=True),
    sa.Column('started_at', sa.String(length=32), nullable=True),
    sa.Column('ended_at', sa.String(length=32), nullable=True),
    sa.Column('seen_at', sa.String(length=32), nullable=False),
    sa.Column('told_at', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_ci_runs_organization_id_organizations')),
    sa.ForeignKeyConstraint(['source_id'], ['sources.id'], name=op.f('fk_ci_runs_source_id_sources')),
    sa.PrimaryKeyConstraint('source_id', 'ci_run_id', 'attempt', name=op.f('pk_ci_runs'))
    )
    op.create_index('ix_ci_runs_head', 'ci_runs', ['source_id', 'head_sha'], unique=False)
    op.create_table('commit_verdicts',
    sa.Column('source_id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('sha', sa.String(length=64), nullable=False),
    sa.Column('context', sa.String(length=255), nullable=False),
    sa.Column('workflow_id', sa.String(length=36), nullable=True),
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('run_id', sa.String(length=36), nullable=True),
    sa.Column('judged_at', sa.String(length=32), nullable=False),
    sa.Column('changed_at', sa.String(length=32), nullable=False),
    sa.Column('holds_until', sa.String(length=32), nullable=True),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_commit_verdicts_organization_id_organizations')),
    sa.ForeignKeyConstraint(['source_id'], ['sources.id'], name=op.f('fk_commit_verdicts_source_id_sources')),
    sa.PrimaryKeyConstraint('source_id', 'sha', 'context', name=op.f('pk_commit_verdicts')),
    sa.UniqueConstraint('id', name=op.f('uq_commit_verdicts_id'))
    )
    op.create_index('ix_commit_verdicts_commit', 'commit_verdicts', ['organization_id', 'sha'], unique=False)
    op.create_index('ix_commit_verdicts_due', 'commit_verdicts', ['holds_until'], unique=False, sqlite_where=sa.text('holds_until IS NOT NULL'), postgresql_where=sa.text('holds_until IS NOT NULL'))
    op.create_index('ix_commit_verdicts_organization', 'commit_verdicts', ['organization_id', 'kind', 'changed_at'], unique=False)
    op.create_index('ix_commit_verdicts_workflow', 'commit_verdicts', ['workflow_id', 'changed_at'], unique=False)
    op.create_table('heads',
    sa.Column('source_id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('sha', sa.String(length=64), nullable=False),
    sa.Column('event', sa.String(length=32), nullable=False),
    sa.Column('pull_request', sa.String(length=64), nullable=False),
    sa.Column('branch', sa.Text(), nullable=False),
    sa.Column('base_branch', sa.Text(), nullable=True),
    sa.Column('is_branch_new', sa.Boolean(), nullable=False),
    sa.Column('is_fork', sa.Boolean(), nullable=False),
    sa.Column('is_bot', sa.Boolean(), nullable=False),
    sa.Column('is_protected', sa.Boolean(), nullable=True),
    sa.Column('changed_paths', sa.Text(), nullable=True),
    sa.Column('ci_files', sa.Text(), nullable=True),
    sa.Column('is_open', sa.Boolean(), nullable=False),
    sa.Column('seen_at', sa.String(length=32), nullable=False),
    sa.Column('told_at', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_heads_organization_id_organizations')),
    sa.ForeignKeyConstraint(['source_id'], ['sources.id'], name=op.f('fk_heads_source_id_sources')),
    sa.PrimaryKeyConstraint('source_id', 'sha', 'event', 'pull_request', name=op.f('pk_heads'))
    )
    op.create_index('ix_heads_pull_request', 'heads', ['source_id', 'pull_request'], unique=False)
    op.create_index('ix_heads_seen', 'heads', ['organization_id', 'seen_at'], unique=False)


def downgrade() -> None:
    op.drop_column('sources', 'names_in_public')
    op.drop_column('sources', 'is_public')
    op.drop_index('ix_heads_seen', table_name='heads')
    op.drop_index('ix_heads_pull_request', table_name='heads')
    op.drop_table('heads')
    op.drop_index('ix_commit_verdicts_workflow', table_name='commit_verdicts')
    op.drop_index('ix_commit_verdicts_organization', table_name='commit_verdicts')
    op.drop_index('ix_commit_verdicts_due', table_name='commit_verdicts')
    op.drop_index('ix_commit_verdicts_commit', table_name='commit_verdicts')
    op.drop_table('commit_verdicts')
    op.drop_index('ix_ci_runs_head', table_name='ci_runs')
    op.drop_table('ci_runs')
    op.drop_table('ci_jobs')
