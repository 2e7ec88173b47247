"""Write down events, whom to tell of them, and what was told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('events',
    sa.Column('sequence', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('at', sa.String(length=32), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('project_id', sa.String(length=36), nullable=True),
    sa.Column('workflow_id', sa.String(length=36), nullable=True),
    sa.Column('run_id', sa.String(length=36), nullable=True),
    sa.Column('only_registration_id', sa.String(length=36), nullable=True),
    sa.Column('facts', sa.Text(), nullable=False),
    sa.Column('fanned_out_at', sa.String(length=32), nullable=True),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_events_organization_id_organizations')),
    sa.PrimaryKeyConstraint('sequence', name=op.f('pk_events')),
    sa.UniqueConstraint('id', name=op.f('uq_events_id'))
    )
    op.create_index('ix_events_new', 'events', ['sequence'], unique=False, sqlite_where=sa.text('fanned_out_at IS NULL'), postgresql_where=sa.text('fanned_out_at IS NULL'))
    op.create_index('ix_events_organization', 'events', ['organization_id', 'sequence'], unique=False)
    op.create_index('ix_events_run', 'events', ['run_id', 'sequence'], unique=False)
    op.create_table('registrations',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('name', sa.String(length=63), nullable=False),
    sa.Column('host', sa.Text(), nullable=False),
    sa.Column('settings', sa.Text(), nullable=False),
    sa.Column('sealed', sa.Text(), nullable=True),
    sa.Column('credential_expires_at', sa.String(length=32), nullable=True),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('paused_reason', sa.Text(), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('open_until', sa.String(length=32), nullable=True),
    sa.Column('checked_at', sa.String(length=32), nullable=True),
    sa.Column('findings', sa.Text(), nullable=False),
    sa.Column('created_at', sa.String(length=32), nullable=False),
    sa.Column('created_by', sa.String(length=36), nullable=False),
    sa.Column('removed_at', sa.String(length=32), nullable=True),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_registrations_organization_id_organizations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_registrations'))
    )
    op.create_index('ix_registrations_name', 'registrations', ['organization_id', 'name'], unique=True, sqlite_where=sa.text('removed_at IS NULL'), postgresql_where=sa.text('removed_at IS NULL'))
    op.create_index('ix_registrations_organization', 'registrations', ['organization_id', 'created_at', 'id'], unique=False)
    op.create_table('deliveries',
    sa.Column('sequence', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('event_sequence', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('registration_id', sa.String(length=36), nullable=False),
    sa.Column('attachment_id', sa.String(length=80), nullable=False),
    sa.Column('part', sa.String(length=32), nullable=False),
    sa.Column('lane', sa.Text(), nullable=False),
    sa.Column('replaces_older', sa.Boolean(), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.String(length=32), nullable=False),
    sa.Column('since', sa.String(length=32), nullable=True),
    sa.Column('next_attempt_at', sa.String(length=32), nullable=False),
    sa.Column('holder', sa.String(length=36), nullable=True),
    sa.Column('leased_until', sa.String(length=32), nullable=True),
    sa.Column('finished_at', sa.String(length=32), nullable=True),
    sa.Column('outcome_code', sa.String(length=64), nullable=False),
    sa.Column('outcome_detail', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['event_sequence'], ['events.sequence'], name=op.f('fk_deliveries_event_sequence_events')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_deliveries_organization_id_organizations')),
    sa.ForeignKeyConstraint(['registration_id'], ['registrations.id'], name=op.f('fk_deliveries_registration_id_registrations')),
    sa.PrimaryKeyConstraint('sequence', name=op.f('pk_deliveries')),
    sa.UniqueConstraint('event_sequence', 'attachment_id', 'part', name=op.f('uq_deliveries_event_sequence')),
    sa.UniqueConstraint('id', name=op.f('uq_deliveries_id'))
    )
    op.create_index('ix_deliveries_due', 'deliveries', ['registration_id', 'next_attempt_at'], unique=False, sqlite_where=sa.text("state = 'pending'"), postgresql_where=sa.text("state = 'pending'"))
    op.create_index('ix_deliveries_lane', 'deliveries', ['registration_id', 'lane', 'sequence'], unique=False, sqlite_where=sa.text("state = 'pending'"), postgresql_where=sa.text("state = 'pending'"))
    op.create_index('ix_deliveries_organization', 'deliveries', ['organization_id', 'sequence'], unique=False)
    op.create_index('ix_deliveries_registration', 'deliveries', ['registration_id', 'sequence'], unique=False)
    op.create_index('ix_deliveries_state', 'deliveries', ['organization_id', 'state', 'sequence'], unique=False)
    op.create_table('lane_memories',
    sa.Column('registration_id', sa.String(length=36), nullable=False),
    sa.Column('lane', sa.Text(), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('memory', sa.Text(), nullable=False),
    sa.Column('updated_at', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_lane_memories_organization_id_organizations')),
    sa.ForeignKeyConstraint(['registration_id'], ['registrations.id'], name=op.f('fk_lane_memories_registration_id_registrations')),
    sa.PrimaryKeyConstraint('registration_id', 'lane', name=op.f('pk_lane_memories'))
    )
    op.create_table('registration_repositories',
    sa.Column('registration_id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('host', sa.Text(), nullable=False),
    sa.Column('repository_id', sa.String(length=64), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_registration_repositories_organization_id_organizations')),
    sa.ForeignKeyConstraint(['registration_id'], ['registrations.id'], name=op.f('fk_registration_repositories_registration_id_registrations')),
    sa.PrimaryKeyConstraint('registration_id', 'host', 'repository_id', name=op.f('pk_registration_repositories'))
    )
    op.create_index('ix_registration_repositories_place', 'registration_repositories', ['host', 'repository_id'], unique=False)
    op.create_table('attachments',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('registration_id', sa.String(length=36), nullable=False),
    sa.Column('project_id', sa.String(length=36), nullable=True),
    sa.Column('workflow_id', sa.String(length=36), nullable=True),
    sa.Column('events', sa.Text(), nullable=False),
    sa.Column('settings', sa.Text(), nullable=False),
    sa.Column('created_at', sa.String(length=32), nullable=False),
    sa.Column('created_by', sa.String(length=36), nullable=False),
    sa.Column('removed_at', sa.String(length=32), nullable=True),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_attachments_organization_id_organizations')),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_attachments_project_id_projects')),
    sa.ForeignKeyConstraint(['registration_id'], ['registrations.id'], name=op.f('fk_attachments_registration_id_registrations')),
    sa.ForeignKeyConstraint(['workflow_id'], ['workflows.id'], name=op.f('fk_attachments_workflow_id_workflows')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_attachments'))
    )
    op.create_index('ix_attachments_organization', 'attachments', ['organization_id', 'created_at', 'id'], unique=False)
    op.create_index('ix_attachments_registration', 'attachments', ['registration_id'], unique=False)
    op.create_index('ix_attachments_workflow', 'attachments', ['workflow_id'], unique=False)
    op.create_table('delivery_attempts',
    sa.Column('delivery_sequence', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('at', sa.String(length=32), nullable=False),
    sa.Column('duration_milliseconds', sa.Integer(), nullable=False),
    sa.Column('outcome', sa.String(length=16), nullable=False),
    sa.Column('code', sa.String(length=64), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.Column('holder', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['delivery_sequence'], ['deliveries.sequence'], name=op.f('fk_delivery_attempts_delivery_sequence_deliveries')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_delivery_attempts_organization_id_organizations')),
    sa.PrimaryKeyConstraint('delivery_sequence', 'number', name=op.f('pk_delivery_attempts'))
    )


def downgrade() -> None:
    op.drop_table('delivery_attempts')
    op.drop_index('ix_attachments_workflow', table_name='attachments')
    op.drop_index('ix_attachments_registration', table_name='attachments')
    op.drop_index('ix_attachments_organization', table_name='attachments')
    op.drop_table('attachments')
    op.drop_index('ix_registration_repositories_place', table_name='registration_repositories')
    op.drop_table('registration_repositories')
    op.drop_table('lane_memories')
    op.drop_index('ix_deliveries_state', table_name='deliveries')
    op.drop_index('ix_deliveries_registration', table_name='deliveries')
    op.drop_index('ix_deliveries_organization', table_name='deliveries')
    op.drop_index('ix_deliveries_lane', table_name='deliveries')
    op.drop_index('ix_deliveries_due', table_name='deliveries')
    op.drop_table('deliveries')
    op.drop_index('ix_registrations_organization', table_name='registrations')
    op.drop_index('ix_registrations_name', table_name='registrations')
    op.drop_table('registrations')
    op.drop_index('ix_events_run', table_name='events')
    op.drop_index('ix_events_organization', table_name='events')
    op.drop_index('ix_events_new', table_name='events')
    op.drop_table('events')
