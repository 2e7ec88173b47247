"""Tell installations of one number at two forges apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No version before this one could bind any: there is nothing to keep.
    _make(sa.Column('host', sa.Text(), nullable=False))


def downgrade() -> None:
    # What is bound is found out again by the next check of its registration.
    _make()


def _make(*more: sa.Column[str]) -> None:
    op.drop_index('ix_app_installations_organization', table_name='app_installations')
    op.drop_table('app_installations')
    op.create_table('app_installations',
    *more,
    sa.Column('installation_id', sa.String(length=64), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('account', sa.String(length=255), nullable=False),
    sa.Column('bound_by', sa.String(length=36), nullable=False),
    sa.Column('bound_at', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_app_installations_organization_id_organizations')),
    sa.PrimaryKeyConstraint(*[column.name for column in more], 'installation_id', name=op.f('pk_app_installations'))
    )
    op.create_index('ix_app_installations_organization', 'app_installations', ['organization_id'], unique=False)
