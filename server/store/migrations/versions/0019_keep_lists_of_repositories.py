"""Keep which repositories forges list."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('inventories',
    sa.Column('registration_id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('host', sa.Text(), nullable=False),
    sa.Column('begun_at', sa.String(length=32), nullable=True),
    sa.Column('next_page', sa.Text(), nullable=False),
    sa.Column('pages', sa.Integer(), nullable=False),
    sa.Column('tried_at', sa.String(length=32), nullable=True),
    sa.Column('finding', sa.Text(), nullable=False),
    sa.Column('listed_at', sa.String(length=32), nullable=True),
    sa.Column('is_complete', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_inventories_organization_id_organizations')),
    sa.ForeignKeyConstraint(['registration_id'], ['registrations.id'], name=op.f('fk_inventories_registration_id_registrations')),
    sa.PrimaryKeyConstraint('registration_id', name=op.f('pk_inventories'))
    )
    op.create_table('forge_repositories',
    sa.Column('registration_id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('host', sa.Text(), nullable=False),
    sa.Column('repository_id', sa.String(length=64), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('address_key', sa.Text(), nullable=False),
    sa.Column('is_archived', sa.Boolean(), nullable=False),
    sa.Column('is_fork', sa.Boolean(), nullable=False),
    sa.Column('first_seen_at', sa.String(length=32), nullable=False),
    sa.Column('seen_at', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_forge_repositories_organization_id_organizations')),
    sa.ForeignKeyConstraint(['registration_id'], ['registrations.id'], name=op.f('fk_forge_repositories_registration_id_registrations')),
    sa.PrimaryKeyConstraint('registration_id', 'repository_id', name=op.f('pk_forge_repositories'))
    )
    op.create_index('ix_forge_repositories_place', 'forge_repositories', ['organization_id', 'address_key', 'repository_id', 'registration_id'], unique=False)
    op.create_index('ix_sources_repository', 'sources', ['organization_id', 'repository_id'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_sources_repository', table_name='sources')
    op.drop_index('ix_forge_repositories_place', table_name='forge_repositories')
    op.drop_table('forge_repositories')
    op.drop_table('inventories')
