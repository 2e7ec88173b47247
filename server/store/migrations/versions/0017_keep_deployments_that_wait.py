"""Keep deployments that wait for our word, and find the sources of a commit: a gate is asked without one (R33, R36)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_heads_commit', 'heads', ['organization_id', 'sha'], unique=False)
    op.create_table('gate_requests',
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('registration_id', sa.String(length=36), nullable=False),
    sa.Column('host', sa.Text(), nullable=False),
    sa.Column('repository_id', sa.String(length=64), nullable=False),
    sa.Column('repository', sa.Text(), nullable=False),
    sa.Column('ci_run_id', sa.String(length=128), nullable=False),
    sa.Column('environment', sa.String(length=255), nullable=False),
    sa.Column('sha', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('requested_at', sa.String(length=32), nullable=False),
    sa.Column('answered_at', sa.String(length=32), nullable=True),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_gate_requests_organization_id_organizations')),
    sa.ForeignKeyConstraint(['registration_id'], ['registrations.id'], name=op.f('fk_gate_requests_registration_id_registrations')),
    sa.PrimaryKeyConstraint('registration_id', 'repository_id', 'ci_run_id', 'environment', name=op.f('pk_gate_requests'))
    )
    op.create_index('ix_gate_requests_commit', 'gate_requests', ['organization_id', 'sha'], unique=False)


def downgrade() -> None:
    op.drop_table('gate_requests')
    op.drop_index('ix_heads_commit', table_name='heads')
