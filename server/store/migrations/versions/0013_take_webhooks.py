"""Keep webhooks that came in, and whose an installation of our App is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('inbound_deliveries',
    sa.Column('sequence', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('scope', sa.String(length=36), nullable=False),
    sa.Column('receiver', sa.String(length=16), nullable=False),
    sa.Column('source_id', sa.String(length=36), nullable=True),
    sa.Column('delivery_id', sa.String(length=64), nullable=True),
    sa.Column('body_digest', sa.String(length=71), nullable=False),
    sa.Column('body_bytes', sa.Integer(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=True),
    sa.Column('event', sa.String(length=64), nullable=False),
    sa.Column('action', sa.String(length=64), nullable=True),
    sa.Column('headers', sa.Text(), nullable=False),
    sa.Column('facts', sa.Text(), nullable=False),
    sa.Column('outcome', sa.String(length=16), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('address', sa.String(length=64), nullable=False),
    sa.Column('received_at', sa.String(length=32), nullable=False),
    sa.Column('handled_at', sa.String(length=32), nullable=True),
    sa.Column('replays', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_inbound_deliveries_organization_id_organizations')),
    sa.PrimaryKeyConstraint('sequence', name=op.f('pk_inbound_deliveries')),
    sa.UniqueConstraint('id', name=op.f('uq_inbound_deliveries_id')),
    sa.UniqueConstraint('scope', 'body_digest', name='uq_inbound_deliveries_body'),
    sa.UniqueConstraint('scope', 'delivery_id', name='uq_inbound_deliveries_delivery')
    )
    op.create_index('ix_inbound_deliveries_organization', 'inbound_deliveries', ['organization_id', 'sequence'], unique=False)
    op.create_index('ix_inbound_deliveries_source', 'inbound_deliveries', ['source_id', 'sequence'], unique=False)
    op.create_table('app_installations',
    sa.Column('installation_id', sa.String(length=64), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('account', sa.String(length=255), nullable=False),
    sa.Column('bound_by', sa.String(length=36), nullable=False),
    sa.Column('bound_at', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_app_installations_organization_id_organizations')),
    sa.PrimaryKeyConstraint('installation_id', name=op.f('pk_app_installations'))
    )
    op.create_index('ix_app_installations_organization', 'app_installations', ['organization_id'], unique=False)
    op.add_column('sources', sa.Column('previous_hook_secret_until', sa.String(length=32), nullable=True))
    op.add_column('ci_jobs', sa.Column('runner_name', sa.Text(), nullable=True))
    op.create_index('ix_workflow_runs_open_ci', 'workflow_runs', ['organization_id', 'ci_run_id'], unique=False, sqlite_where=sa.text("state = 'initialized'"), postgresql_where=sa.text("state = 'initialized'"))


def downgrade() -> None:
    op.drop_index('ix_workflow_runs_open_ci', table_name='workflow_runs')
    op.drop_column('ci_jobs', 'runner_name')
    op.drop_column('sources', 'previous_hook_secret_until')
    op.drop_index('ix_app_installations_organization', table_name='app_installations')
    op.drop_table('app_installations')
    op.drop_index('ix_inbound_deliveries_source', table_name='inbound_deliveries')
    op.drop_index('ix_inbound_deliveries_organization', table_name='inbound_deliveries')
    op.drop_table('inbound_deliveries')
