"""Let people look at verdicts: their sessions, public verdicts, and the indexes that pages walk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('page_sessions',
    sa.Column('id_sha256', sa.String(length=64), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('token_id', sa.String(length=36), nullable=False),
    sa.Column('secret_sha256', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.String(length=32), nullable=False),
    sa.Column('expires_at', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_page_sessions_organization_id_organizations')),
    sa.PrimaryKeyConstraint('id_sha256', name=op.f('pk_page_sessions'))
    )
    op.create_index('ix_page_sessions_expiry', 'page_sessions', ['expires_at'], unique=False)
    op.create_index('ix_page_sessions_token', 'page_sessions', ['organization_id', 'token_id', 'created_at'], unique=False)
    op.add_column('workflows', sa.Column('public_verdict', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index('ix_commit_verdicts_recent', 'commit_verdicts', ['organization_id', 'changed_at', 'id'], unique=False)
    op.create_index('ix_events_verdict', 'events', ['subject', 'sequence'], unique=False,
        sqlite_where=sa.text("kind = 'verdict.changed'"),
        postgresql_where=sa.text("kind = 'verdict.changed'"))


def downgrade() -> None:
    op.drop_index('ix_events_verdict', table_name='events')
    op.drop_index('ix_commit_verdicts_recent', table_name='commit_verdicts')
    op.drop_column('workflows', 'public_verdict')
    op.drop_table('page_sessions')
