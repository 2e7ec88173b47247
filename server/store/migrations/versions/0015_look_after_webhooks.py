"""Keep how our webhooks at the forges were found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('source_hooks',
    sa.Column('source_id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('asked_at', sa.String(length=32), nullable=False),
    sa.Column('mode', sa.String(length=16), nullable=False),
    sa.Column('answered_at', sa.String(length=32), nullable=True),
    sa.Column('state', sa.String(length=16), nullable=True),
    sa.Column('hook_id', sa.String(length=64), nullable=True),
    sa.Column('differences', sa.Text(), nullable=False),
    sa.Column('failed', sa.Integer(), nullable=False),
    sa.Column('asked_again', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_source_hooks_organization_id_organizations')),
    sa.PrimaryKeyConstraint('source_id', name=op.f('pk_source_hooks'))
    )


def downgrade() -> None:
    op.drop_table('source_hooks')
