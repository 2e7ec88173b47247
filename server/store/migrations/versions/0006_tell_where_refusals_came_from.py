"""Tell where a refused store and a refused init came from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ('refused_stores', 'refused_inits'):
        op.add_column(table, sa.Column('address', sa.String(length=64), server_default=sa.text("''"), nullable=False))


def downgrade() -> None:
    for table in ('refused_stores', 'refused_inits'):
        op.drop_column(table, 'address')
