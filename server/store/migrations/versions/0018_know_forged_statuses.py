"""Keep which statuses under our names somebody else wrote."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('forged_statuses',
    sa.Column('source_id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('sha', sa.String(length=64), nullable=False),
    sa.Column('context', sa.String(length=255), nullable=False),
    sa.Column('surface', sa.String(length=16), nullable=False),
    sa.Column('number', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=64), nullable=False),
    sa.Column('by', sa.String(length=255), nullable=False),
    sa.Column('at', sa.String(length=32), nullable=False),
    sa.Column('is_corrected', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_forged_statuses_organization_id_organizations')),
    sa.ForeignKeyConstraint(['source_id'], ['sources.id'], name=op.f('fk_forged_statuses_source_id_sources')),
    sa.PrimaryKeyConstraint('source_id', 'sha', 'context', 'surface', 'number', name=op.f('pk_forged_statuses'))
    )
    op.create_index('ix_forged_statuses_organization', 'forged_statuses', ['organization_id', 'at'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_forged_statuses_organization', table_name='forged_statuses')
    op.drop_table('forged_statuses')
