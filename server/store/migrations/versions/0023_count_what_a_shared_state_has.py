"""Keep how many required materials a shared state has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0023'
down_revision = '0022'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('run_states', sa.Column('present_count', sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column('run_states', 'present_count')
