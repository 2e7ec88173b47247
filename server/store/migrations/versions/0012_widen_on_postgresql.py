"""Keep on PostgreSQL what SQLite keeps: it has one width of integers, and looks at no length of a text."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None

_NUMBERS = (
    ('contracts', 'latest_revision', False),
    ('contract_revisions', 'revision', False),
    ('workflows', 'minimum_revision', True),
    ('workflow_runs', 'contract_revision', False),
    ('workflow_runs', 'ci_run_attempt', True),
)
_TEXTS = (('ci_run_id', 128), ('ci_job_index', 128), ('ci_event', 128), ('ci_pull_request', 64))


def upgrade() -> None:
    if op.get_context().dialect.name != 'postgresql':
        return
    for table, column, nullable in _NUMBERS:
        op.alter_column(table, column, type_=sa.BigInteger(), existing_type=sa.Integer(), existing_nullable=nullable)
    for column, length in _TEXTS:
        op.alter_column('workflow_runs', column, type_=sa.Text(), existing_type=sa.String(length), existing_nullable=True)


def downgrade() -> None:
    if op.get_context().dialect.name != 'postgresql':
        return
    for column, length in _TEXTS:
        op.alter_column('workflow_runs', column, type_=sa.String(length), existing_type=sa.Text(), existing_nullable=True)
    for table, column, nullable in _NUMBERS:
        op.alter_column(table, column, type_=sa.Integer(), existing_type=sa.BigInteger(), existing_nullable=nullable)
