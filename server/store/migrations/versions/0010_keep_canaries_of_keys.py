"""Keep a text sealed by each key that seals credentials: it tells whether the key is still there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('secret_canaries',
    sa.Column('key_id', sa.String(length=16), nullable=False),
    sa.Column('sealed', sa.Text(), nullable=False),
    sa.Column('made_at', sa.String(length=32), nullable=False),
    sa.PrimaryKeyConstraint('key_id', name=op.f('pk_secret_canaries'))
    )


def downgrade() -> None:
    op.drop_table('secret_canaries')
